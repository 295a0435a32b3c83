import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchAtRest, type AtRest } from './at-rest.ts';
import type { Contender, EventName, Explanation, Moment, RaceNode } from './contender.ts';
import { countMissing, createTable, streamingStandbys } from './database.ts';
import { killDatabase, killNode, stopAgent } from './faults.ts';
import { overlap, type TwoPrimaries } from './overlap.ts';
import { RowClient, type Ack } from './row-client.ts';

const POLL_MS = 25;
const WHOLE_POLL_MS = 100;
const WHOLE_MS_MAX = 240_000;
const RECOVERY_MS_MAX = 180_000;
/** Rows are written so long before an event, and after it. */
const CALM_MS = 1_500;
/** Nothing happens for so long before agents count as being at rest: one that has just begun still compiles what it does all the time. */
const SETTLE_MS = 60_000;
/** What was under way when the fault was made may still be answered. */
const UNDER_WAY_MS = 100;
/** A stalled agent goes on when another leader has taken rows for so long and the old one has taken none. */
const SETTLED_MS = 5_000;

/** What one repetition of one event saw. Times in milliseconds. */
export interface Repetition {
  readonly event: EventName;
  readonly at: string;
  readonly leaderBefore: string;
  readonly leaderAfter: string;
  /** The longest time between two acknowledged rows around the event. */
  readonly gapMs: number;
  readonly errors: number;
  readonly acked: number;
  /** Acknowledged, and not there in the end; those of the direct client included. */
  readonly lost: number;
  readonly wholeAfterMs: number;
  /** The longest time between two rows while the killed node came back. */
  readonly rejoinGapMs?: number;
  /** From starting the killed node's agent until its database streamed again. */
  readonly rejoinMs?: number;
  readonly twoPrimaries?: TwoPrimaries;
  readonly moments: readonly Moment[];
  readonly setbacks: readonly string[];
  readonly trace: readonly string[];
  readonly loadAverage: number;
}

interface Happened {
  readonly atMs: number;
  /** When it was over for the client, and what follows began. */
  readonly endedMs?: number;
  readonly rejoinMs?: number;
  readonly twoPrimaries?: TwoPrimaries;
}

export interface RaceOptions {
  readonly stallSeconds: number;
  readonly signal: AbortSignal;
}

/** One contender with a client that writes all the time. The contender remains its caller's. */
export class Race implements AsyncDisposable {
  readonly contender: Contender;
  readonly #client: RowClient;
  readonly #options: RaceOptions;
  #stubborn = 0;

  private constructor(contender: Contender, client: RowClient, options: RaceOptions) {
    this.contender = contender;
    this.#client = client;
    this.#options = options;
  }

  static async start(contender: Contender, options: RaceOptions): Promise<Race> {
    const race = new Race(contender, new RowClient(contender.write, contender.name), options);
    await race.whole();
    for (let attempt = 1; ; attempt++) {
      try {
        await createTable(contender.write);
        break;
      } catch (error) {
        if (attempt === 20) throw error;
        await sleep(500, undefined, { signal: options.signal });
      }
    }
    race.#client.start();
    return race;
  }

  /** Makes an event happen and waits until everything is as it was. */
  async repeat(event: EventName): Promise<Repetition> {
    const leaderBefore = await this.whole();
    await this.#calm();
    const node = this.#node(leaderBefore);
    const first = this.#client.acks.length;
    const errorsBefore = this.#client.errors.length;
    const [wallMs, at] = [Date.now() - performance.now(), new Date().toISOString()];
    const happened = await this.#make(event, node);
    const leaderAfter = await this.whole();
    const wholeMs = performance.now();
    await this.#calm();
    const nowMs = performance.now();
    const { gapMs, endedMs } = this.#client.longestGap(happened.atMs, happened.endedMs ?? nowMs);
    const acked = this.#client.acks.slice(first);
    const explained = await this.contender.explain?.(event, wallMs + happened.atMs - 1);
    const lost = await countMissing(
      this.contender.write,
      this.#client.source,
      acked.map(({ id }) => id),
    );
    return {
      event,
      at,
      leaderBefore,
      leaderAfter,
      gapMs,
      errors: this.#client.errors.length - errorsBefore,
      acked: acked.length,
      lost: lost + (happened.twoPrimaries?.lostOfOld ?? 0),
      wholeAfterMs: wholeMs - happened.atMs,
      ...(happened.rejoinMs !== undefined && {
        rejoinMs: happened.rejoinMs,
        rejoinGapMs: this.#client.longestGap(happened.endedMs!, nowMs).gapMs,
      }),
      ...(happened.twoPrimaries !== undefined && { twoPrimaries: happened.twoPrimaries }),
      moments: framed(explained, wallMs, { lastMs: endedMs - gapMs, faultMs: happened.atMs, firstMs: endedMs }),
      setbacks: explained?.setbacks ?? [],
      trace: explained?.trace ?? [],
      loadAverage: loadavg()[0]!,
    };
  }

  /** Watches its agents while the client rests. */
  async atRest(seconds: number): Promise<AtRest[]> {
    await this.whole();
    using _pause = this.#client.pause();
    await sleep(SETTLE_MS, undefined, { signal: this.#options.signal });
    return await watchAtRest(this.contender, seconds, this.#options.signal);
  }

  /** What the client has seen since then. */
  clientSince(fromMs: number): { gapMs: number; errors: number } {
    const { gapMs } = this.#client.longestGap(fromMs, performance.now());
    return { gapMs, errors: this.#client.errors.filter(({ atMs }) => atMs >= fromMs).length };
  }

  /** Of all rows acknowledged so far, those that are not there now. */
  async lostOfAll(): Promise<{ acked: number; lost: number }> {
    await this.whole();
    const ids = this.#client.acks.map(({ id }) => id);
    return { acked: ids.length, lost: await countMissing(this.contender.write, this.#client.source, ids) };
  }

  /** Waits for a leader that takes rows, and for everybody else to stream from it. @returns the leader */
  async whole(): Promise<string> {
    const deadlineMs = performance.now() + WHOLE_MS_MAX;
    for (; performance.now() < deadlineMs; await sleep(WHOLE_POLL_MS, undefined, { signal: this.#options.signal })) {
      const leader = await this.contender.leader();
      if (leader === undefined || !(await this.contender.isWhole())) continue;
      const streaming = await streamingStandbys(this.#node(leader).connection).catch(() => 0);
      if (streaming === this.contender.nodes.length - 1) return leader;
    }
    throw new Error(`${this.contender.name} was not whole again after ${WHOLE_MS_MAX / 1_000} s`);
  }

  /** Rows are acknowledged one after the other for a while. */
  async #calm(): Promise<void> {
    const { signal } = this.#options;
    const fromMs = performance.now();
    await sleep(CALM_MS, undefined, { signal });
    await this.#until('rows are written again', () => this.#client.firstSentAfter(fromMs) !== undefined);
  }

  async #make(event: EventName, node: RaceNode): Promise<Happened> {
    const { contender } = this;
    switch (event) {
      case 'node-lost': {
        const atMs = await killNode(contender, node);
        await this.#rowsTaken(atMs, node, 'by another');
        await this.#calm();
        return { atMs, endedMs: performance.now(), rejoinMs: await this.#rejoin(node) };
      }
      case 'database-killed': {
        const atMs = await killDatabase(node);
        await this.#rowsTaken(atMs, node, 'by anybody');
        return { atMs };
      }
      case 'switchover':
      case 'pgbouncer-switchover': {
        const atMs = performance.now();
        await contender.switchover(this.#options.signal);
        await this.#rowsTaken(atMs, node, 'by another');
        return { atMs };
      }
      case 'agent-stopped':
        return await this.#stall(node);
    }
  }

  async #rowsTaken(fromMs: number, old: RaceNode, how: 'by another' | 'by anybody'): Promise<void> {
    await this.#until(
      `rows are taken ${how}`,
      () =>
        this.#client.firstSentAfter(fromMs + UNDER_WAY_MS, (ack) => how === 'by anybody' || ack.server !== old.databasePort) !== undefined,
    );
  }

  async #rejoin(node: RaceNode): Promise<number> {
    const beganMs = performance.now();
    await this.contender.startAgent(node.name);
    const leader = await this.contender.leader();
    const all = this.contender.nodes.length - 1;
    const deadlineMs = beganMs + WHOLE_MS_MAX;
    while (performance.now() < deadlineMs) {
      const connection = this.#node(leader ?? '').connection;
      if ((await streamingStandbys(connection).catch(() => 0)) === all) return performance.now() - beganMs;
      await sleep(POLL_MS, undefined, { signal: this.#options.signal });
    }
    throw new Error(`${node.name} of ${this.contender.name} did not stream again within ${WHOLE_MS_MAX / 1_000} s`);
  }

  async #stall(node: RaceNode): Promise<{ atMs: number; twoPrimaries: TwoPrimaries }> {
    const { signal, stallSeconds } = this.#options;
    await using direct = new RowClient(node.connection, `${this.contender.name} direct ${++this.#stubborn}`);
    direct.start();
    await this.#until('the direct client writes', () => direct.acks.length > 10);
    let firstOfAnother: number | undefined;
    let stoppedMs: number;
    {
      using stop = await stopAgent(this.contender, node);
      stoppedMs = stop.atMs;
      const deadlineMs = stop.atMs + stallSeconds * 1_000;
      for (; performance.now() < deadlineMs; await sleep(POLL_MS, undefined, { signal })) {
        firstOfAnother ??= this.#client.firstSentAfter(stop.atMs, (ack) => ack.server !== node.databasePort)?.atMs;
        const settled = firstOfAnother !== undefined && performance.now() - Math.max(firstOfAnother, direct.acks.at(-1)!.atMs) > SETTLED_MS;
        if (settled) break;
      }
    }
    await this.whole();
    await direct[Symbol.asyncDispose]();
    const lostOfOld = await countMissing(
      this.contender.write,
      direct.source,
      direct.acks.map(({ id }) => id),
    );
    const since = (acks: readonly Ack[]): readonly Ack[] => acks.filter((ack) => ack.atMs >= stoppedMs);
    return {
      atMs: stoppedMs,
      twoPrimaries: { ...overlap(since(this.#client.acks), since(direct.acks), stoppedMs, node.databasePort), lostOfOld },
    };
  }

  #node(name: string): RaceNode {
    const node = this.contender.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`${this.contender.name} has no node '${name}'`);
    return node;
  }

  async #until(what: string, reached: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + RECOVERY_MS_MAX;
    while (!reached()) {
      if (performance.now() > deadlineMs)
        throw new Error(`${this.contender.name}: not reached within ${RECOVERY_MS_MAX / 1_000} s: ${what}`);
      await sleep(POLL_MS, undefined, { signal: this.#options.signal });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }
}

/** What the contender's logs tell, between the client's last row before and its first row after. */
function framed(
  explained: Explanation | undefined,
  wallMs: number,
  client: { lastMs: number; faultMs: number; firstMs: number },
): Moment[] {
  return [
    { what: 'last row', atMs: wallMs + client.lastMs },
    { what: 'fault', atMs: wallMs + client.faultMs },
    ...(explained?.moments ?? []),
    { what: 'first row', atMs: wallMs + client.firstMs },
  ];
}
