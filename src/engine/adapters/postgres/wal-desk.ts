import { chmod, chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName, parseSegmentName } from '../../../core/lsn.ts';
import type { Account } from '../../../core/processes.ts';
import type { Clock } from '../../../core/clock.ts';

/** How often it is looked whether recovery has asked for something. */
const pollMs = 10;
/** Segments that are fetched before they are asked for. */
const prefetchMax = 2;

/** A file of WAL by its name; undefined when there is none. */
type FetchWal = (name: string) => Promise<Uint8Array | undefined>;
/** What recovery gets of a file, in the order in which it asks. */
type PassWal = (name: string, bytes: Uint8Array) => Promise<Uint8Array>;

interface DeskOptions {
  readonly account: Account | undefined;
  readonly fetch: FetchWal;
  readonly pass: PassWal;
  readonly clock: Clock;
  readonly segmentBytes: number;
}

/**
 * Recovery's way to WAL that only this process can read: `restore_command` runs a small shell script, which leaves a wish in a directory and
 * takes what is put there. Nothing is started anew for each file, and the next ones are fetched meanwhile.
 */
export class WalDesk implements AsyncDisposable {
  readonly #directory: string;
  readonly #account: Account | undefined;
  readonly #fetch: FetchWal;
  readonly #pass: PassWal;
  readonly #clock: Clock;
  readonly #segmentBytes: bigint;
  readonly #stop = new AbortController();
  readonly #ready = new Map<string, Promise<Uint8Array | undefined>>();
  #serving: Promise<void> = Promise.resolve();
  #given = 0;
  #asked: { readonly name: string; readonly times: number } = { name: '', times: 0 };
  #failure: unknown;

  private constructor(directory: string, { account, fetch, pass, clock, segmentBytes }: DeskOptions) {
    this.#directory = directory;
    this.#account = account;
    this.#fetch = fetch;
    this.#pass = pass;
    this.#clock = clock;
    this.#segmentBytes = BigInt(segmentBytes);
  }

  /** @param directory made, for the account alone */
  static async open(directory: string, options: DeskOptions): Promise<WalDesk> {
    const desk = new WalDesk(directory, options);
    await desk.#prepare();
    desk.#serving = desk.#serve();
    return desk;
  }

  /** For `restore_command`. The path is ours: no quote, no space in it. */
  get command(): string {
    return `/bin/sh ${join(this.#directory, 'fetch')} %f %p`;
  }

  /** Segments that recovery was given. */
  get given(): number {
    return this.#given;
  }

  /** How many times in a row it has asked for the same segment: where there is no more, a replica asks again and again. */
  get askedAgain(): number {
    return this.#asked.times;
  }

  /** Why a file could not be had, if one could not: recovery has ended early then. */
  get failure(): unknown {
    return this.#failure;
  }

  async #prepare(): Promise<void> {
    for (const name of ['', 'wanted', 'here', 'none']) {
      const path = join(this.#directory, name);
      await mkdir(path, { mode: 0o700 });
      await this.#give(path);
    }
    const script = join(this.#directory, 'fetch');
    await writeFile(script, fetchScript(this.#directory, process.pid), { mode: 0o500 });
    await this.#give(script);
  }

  async #give(path: string): Promise<void> {
    if (this.#account !== undefined) await chown(path, this.#account.uid, this.#account.gid);
  }

  async #serve(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const names = await readdir(join(this.#directory, 'wanted')).catch(() => []);
      for (const name of names) await this.#answer(name);
      if (names.length === 0) await this.#clock.sleep(pollMs, signal).catch(() => {});
    }
  }

  async #answer(name: string): Promise<void> {
    const temporary = join(this.#directory, `${name}.tmp`);
    try {
      const bytes = await this.#take(name);
      if (bytes !== undefined) {
        await writeFile(temporary, await this.#pass(name, bytes), { mode: 0o600 });
        await this.#give(temporary);
        if (parseSegmentName(name, this.#segmentBytes) !== undefined) this.#given += 1;
      }
      await rm(join(this.#directory, 'wanted', name), { force: true });
      if (bytes === undefined) await writeFile(join(this.#directory, 'none', name), '');
      else await rename(temporary, join(this.#directory, 'here', name));
    } catch (error) {
      // Recovery must not take it for the end of WAL: it is told that the command died, and stops.
      this.#failure ??= error;
      await rm(join(this.#directory, 'wanted', name), { force: true });
      await writeFile(join(this.#directory, 'none', `${name}.failed`), '');
    }
  }

  async #take(name: string): Promise<Uint8Array | undefined> {
    const segment = parseSegmentName(name, this.#segmentBytes);
    if (segment === undefined) return await this.#fetch(name);
    this.#asked = { name, times: name === this.#asked.name ? this.#asked.times + 1 : 1 };
    const wanted = this.#ready.get(name) ?? this.#fetch(name);
    this.#ready.delete(name);
    const bytes = await wanted;
    if (bytes === undefined) return undefined;
    for (let ahead = 1; ahead <= prefetchMax; ahead++) {
      const next = segmentName(segment.timeline, segment.lsn + BigInt(ahead) * this.#segmentBytes, this.#segmentBytes);
      if (this.#ready.has(next)) continue;
      const fetching = this.#fetch(next);
      // Told when it is asked for.
      fetching.catch(() => {});
      this.#ready.set(next, fetching);
    }
    for (const [oldest] of this.#ready) {
      if (this.#ready.size <= prefetchMax) break;
      this.#ready.delete(oldest);
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#serving;
    await chmod(this.#directory, 0o700);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/**
 * Exit code 1: there is no such file, which ends a recovery without a target. By a signal of its own it says that something is wrong: PostgreSQL
 * then stops instead (RestoreArchivedFile of xlogarchive.c).
 */
function fetchScript(directory: string, pid: number): string {
  return `D='${directory}'
: > "$D/wanted/$1" || kill -KILL $$
while :; do
  if [ -e "$D/here/$1" ]; then mv "$D/here/$1" "$2" && exit 0; kill -KILL $$; fi
  if [ -e "$D/none/$1" ]; then rm -f "$D/none/$1"; exit 1; fi
  if [ -e "$D/none/$1.failed" ] || { [ -d /proc/1 ] && ! [ -d /proc/${pid} ]; }; then kill -KILL $$; fi
  sleep 0.01
done
`;
}
