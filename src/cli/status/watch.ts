import type { ReadStream, WriteStream } from 'node:tty';
import type { ClusterStatus } from '../../api/schema.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Remote } from '../remote/addresses.ts';
import { reach, type Reached } from '../remote/reach.ts';
import { Screen } from '../terminal/screen.ts';
import { visible, type Paint } from '../terminal/style.ts';
import { describeChanges } from './changes.ts';
import { changedCells, isHealthy, statusLines } from './view.ts';

/** How long a cell that changed stands out. */
const highlightMs = 3_000;
/** Changes that are remembered; as many of the last as fit are shown. */
const changesMax = 200;

export interface WatchOptions {
  readonly remote: Remote;
  readonly clock: Clock;
  readonly intervalMs: number;
}

/** One look at the cluster, or why there was none. */
type Look = { readonly status: ClusterStatus; readonly url: string } | { readonly problem: string };

/** Looks again and again, at whichever agent answers, until `signal` aborts. */
async function* looks({ remote, clock, intervalMs }: WatchOptions, signal: AbortSignal): AsyncGenerator<Look> {
  let reached: Reached | undefined;
  try {
    while (!signal.aborted) {
      try {
        // A new search brings its first status along; an agent that is known is asked.
        const status = reached ? await reached.client.status({ signal }) : (reached = await reach(remote, clock, signal)).status;
        yield { status, url: reached.client.url };
      } catch (error) {
        if (signal.aborted) return;
        const known = reached;
        reached = undefined;
        await known?.[Symbol.asyncDispose]();
        // The agent asked so far went away: the others are asked at once.
        if (known !== undefined) continue;
        yield { problem: messageOf(error) };
      }
      await clock.sleep(intervalMs, signal).catch(() => {});
    }
  } finally {
    await reached?.[Symbol.asyncDispose]();
  }
}

/** Draws the state over the whole terminal until the user quits. Resolves to whether it was healthy last. */
export async function watchScreen(
  options: WatchOptions,
  terminal: { out: WriteStream; input: ReadStream; paint: Paint },
): Promise<boolean> {
  const picture = new Picture(options.clock, terminal.paint);
  using screen = new Screen(terminal.out, terminal.input, () => screen.draw(picture.lines(screen)));
  for await (const look of looks(options, screen.quit)) {
    picture.take(look);
    screen.draw(picture.lines(screen));
  }
  return picture.isHealthy;
}

/** Calls `write` with every state that differs from the one before, until `signal` aborts. Resolves to whether it was healthy last. */
export async function watchChanges(
  options: WatchOptions,
  signal: AbortSignal,
  write: (look: Look, changes: readonly string[]) => void,
): Promise<boolean> {
  let last: Look | undefined;
  for await (const look of looks(options, signal)) {
    const changes = last && 'status' in last && 'status' in look ? describeChanges(last.status, look.status) : [];
    const isNews = last === undefined || changes.length > 0 || 'status' in last !== 'status' in look;
    if (isNews) write(look, changes);
    last = look;
  }
  return last !== undefined && 'status' in last && isHealthy(last.status);
}

/** What the screen shows: the last state, what changed, and whether anybody answers. */
export class Picture {
  readonly #clock: Clock;
  readonly #paint: Paint;
  #status: ClusterStatus | undefined;
  #url = '';
  #problem: string | undefined;
  #seenMs = 0;
  #changes: string[] = [];
  readonly #highlights = new Map<string, number>();

  constructor(clock: Clock, paint: Paint) {
    this.#clock = clock;
    this.#paint = paint;
  }

  get isHealthy(): boolean {
    return this.#problem === undefined && this.#status !== undefined && isHealthy(this.#status);
  }

  take(look: Look): void {
    const nowMs = this.#clock.monotonicMs();
    if ('problem' in look) {
      if (this.#problem === undefined) this.#remember(['no agent answers']);
      this.#problem = look.problem;
      return;
    }
    if (this.#problem !== undefined) this.#remember(['an agent answers again']);
    if (this.#status !== undefined) {
      this.#remember(describeChanges(this.#status, look.status));
      for (const key of changedCells(this.#status, look.status)) this.#highlights.set(key, nowMs + highlightMs);
    }
    this.#problem = undefined;
    this.#status = look.status;
    this.#url = look.url;
    this.#seenMs = nowMs;
  }

  lines({ width, height }: { width: number; height: number }): string[] {
    const nowMs = this.#clock.monotonicMs();
    const changed = new Set([...this.#highlights].filter(([, untilMs]) => untilMs > nowMs).map(([key]) => key));
    const state = this.#status === undefined ? [] : statusLines(this.#status, { paint: this.#paint, width, changed });
    const top = [this.#paint(`${this.#stamp()}  ${this.#url}  q quits`, 'dim'), ...this.#problemLines(nowMs), '', ...state];
    const room = Math.max(0, height - top.length - 2);
    const last = room === 0 ? [] : this.#changes.slice(-room);
    return last.length === 0 ? top : [...top, '', this.#paint('CHANGES', 'dim'), ...last.toReversed()];
  }

  #problemLines(nowMs: number): string[] {
    if (this.#problem === undefined) return [];
    const age = this.#status === undefined ? '' : `; what follows is ${Math.round((nowMs - this.#seenMs) / 1000)} s old`;
    return this.#problem.split('\n').map((line, index) => this.#paint(`${visible(line)}${index === 0 ? age : ''}`, 'bad'));
  }

  #remember(changes: readonly string[]): void {
    this.#changes.push(...changes.map((change) => `${this.#stamp()}  ${visible(change)}`));
    this.#changes = this.#changes.slice(-changesMax);
  }

  #stamp(): string {
    return new Date(this.#clock.wallMs()).toTimeString().slice(0, 8);
  }
}
