import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/core/errors.ts';
import { createClock } from '../../src/runtime/index.ts';
import { seededRandom, type SeededRandom } from '../../src/sim/random.ts';
import { query } from '../scenario/agents.ts';
import { Clocks } from '../scenario/hosts/clocks.ts';
import { type Fault, Faults } from '../scenario/hosts/faults.ts';
import type { Verdict } from '../scenario/hosts/history.ts';
import { Hosts } from '../scenario/hosts/hosts.ts';
import type { Load } from '../scenario/hosts/load.ts';
import { StorageFaults } from '../scenario/hosts/storage-faults.ts';
import type { StoreKind } from '../scenario/hosts/store.ts';
import { catalogue, type Stage } from './catalogue.ts';
import { drawRound, type Drawn } from './draw.ts';
import type { SoakDirectory } from './directory.ts';
import { add, emptySummary, type FaultReport, type Finding, type RoundReport, type Summary } from './report.ts';

const SERVICE = 'orders';
/** Enough for the data of a chapter and the WAL that small servers keep. */
const DISK_MIB = 400;
/** After so many rounds a new table is written: what is compared after each round stays small. */
const CHAPTER_ROUNDS = 15;
const WHOLE_MS_MAX = 120_000;
/** Not whole by then either, it will not be: the soak ends. */
const WHOLE_AT_LAST_MS_MAX = 180_000;
const FLOW_MS_MAX = 60_000;
const CALM_MS = 500;

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly coordination: StoreKind;
  readonly directory: SoakDirectory;
  readonly onRound: (report: RoundReport) => void;
  readonly signal: AbortSignal;
}

/** Runs rounds until the time is over, the signal comes, or the service does not recover. */
export async function soak(options: SoakOptions): Promise<Summary> {
  const clock = createClock();
  const beganMs = clock.monotonicMs();
  let summary = emptySummary(options.seed);
  await using run = await Soak.start(options);
  try {
    while (!options.signal.aborted && !run.hopeless && clock.monotonicMs() - beganMs < options.minutes * 60_000) {
      const report = await run.round();
      summary = { ...add(summary, report), minutes: (clock.monotonicMs() - beganMs) / 60_000 };
      options.directory.round(report);
      options.onRound(report);
    }
  } catch (error) {
    options.directory.failed();
    throw error;
  }
  return summary;
}

class Soak implements AsyncDisposable {
  hopeless = false;
  readonly #options: SoakOptions;
  readonly #clock = createClock();
  readonly #random: SeededRandom;
  readonly #clocks: Clocks;
  readonly #hosts: Hosts;
  readonly #faults: Faults;
  readonly #storage: StorageFaults;
  #load: Load | undefined;
  #rounds = 0;
  #term = 0;
  /** Of the load's writes, how many the history has. */
  #kept = 0;

  private constructor(options: SoakOptions, clocks: Clocks, hosts: Hosts) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#clocks = clocks;
    this.#hosts = hosts;
    this.#faults = new Faults(hosts);
    this.#storage = new StorageFaults(hosts, this.#faults, clocks);
  }

  static async start(options: SoakOptions): Promise<Soak> {
    const clocks = new Clocks();
    const hosts = await Hosts.start({
      store: options.coordination,
      diskMiB: DISK_MIB,
      run: clocks.run,
      configure: (config, node) => {
        clocks.configure(config, node);
        const orders = config.services[SERVICE]!;
        orders['failover'] = { unresponsive: '3s' };
        Object.assign(orders['postgres'] as object, { parameters: { max_wal_size: '64MB', min_wal_size: '32MB' } });
      },
    });
    return new Soak(options, clocks, hosts);
  }

  get #table(): string {
    return `held_${Math.floor(this.#rounds / CHAPTER_ROUNDS)}`;
  }

  async round(): Promise<RoundReport> {
    const before = await this.#hosts.agents.whole(WHOLE_MS_MAX);
    const load = (this.#load ??= await this.#newLoad());
    await load.flows(20, FLOW_MS_MAX);
    load.mark();
    const stage: Stage = {
      hosts: this.#hosts,
      faults: this.#faults,
      storage: this.#storage,
      table: this.#table,
      leader: before.leader!,
      others: (host) => this.#hosts.others(host),
    };
    const at = new Date(this.#clock.wallMs()).toISOString();
    const made = await Promise.all(drawRound(this.#random).map((drawn) => this.#one(stage, drawn)));
    await this.#faults.undoAll();
    const endedMs = this.#clock.monotonicMs();
    const findings: Finding[] = [];
    const wholeMs = await this.#untilWhole(load, endedMs, findings);
    const { gapMs, acknowledged, unknown } = load.measure();
    if (!this.hopeless) findings.push(...findingsOf(await load.verify()));
    this.#keep(load);
    await this.#tidy();
    const report = {
      round: ++this.#rounds,
      at,
      faults: made,
      gapMs,
      acknowledged,
      unanswered: unknown,
      wholeMs,
      changes: await this.#changes(),
      findings,
    };
    if (this.#rounds % CHAPTER_ROUNDS === 0) await this.#endLoad(`held_${this.#rounds / CHAPTER_ROUNDS - 1}`);
    return report;
  }

  async #one(stage: Stage, drawn: Drawn): Promise<FaultReport> {
    const { kind, where, delayMs, lastsMs } = drawn;
    const host = where === 'leader' ? stage.leader : stage.others(stage.leader)[where === 'replica' ? 0 : 1]!;
    await this.#pass(delayMs);
    let fault: Fault;
    try {
      fault = await catalogue[kind]!.make(stage, host);
    } catch (error) {
      return { ...drawn, host, note: `not made: ${messageOf(error)}` };
    }
    await this.#pass(lastsMs);
    await fault.undo();
    return { ...drawn, host, note: fault.name.includes('refused') ? fault.name : '' };
  }

  /** An interrupted soak does not wait. */
  async #pass(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#options.signal).catch(() => {});
  }

  async #untilWhole(load: Load, endedMs: number, findings: Finding[]): Promise<number | undefined> {
    for (const limitMs of [WHOLE_MS_MAX, WHOLE_AT_LAST_MS_MAX]) {
      try {
        await this.#hosts.agents.whole(limitMs);
        await load.flows(20, FLOW_MS_MAX);
        if (findings.length === 0) return Math.round(this.#clock.monotonicMs() - endedMs);
        return undefined;
      } catch (error) {
        findings.push({ what: 'not whole in time', rows: [], detail: messageOf(error) });
        // Whoever interrupts it has waited long enough.
        if (this.#options.signal.aborted) break;
      }
    }
    this.hopeless = true;
    return undefined;
  }

  /** What was set aside is never deleted by Holdfast: an operator does that, before it fills the disk. */
  async #tidy(): Promise<void> {
    for (const { path } of this.#hosts.disks.values())
      for (const name of await readdir(path)) if (name.startsWith('data.aside-')) await rm(join(path, name), { recursive: true });
  }

  async #newLoad(): Promise<Load> {
    const load = this.#hosts.load(this.#table);
    await load.start();
    await this.#pass(CALM_MS);
    this.#kept = 0;
    return load;
  }

  async #endLoad(table: string): Promise<void> {
    const load = this.#load;
    this.#load = undefined;
    await load?.[Symbol.asyncDispose]();
    const { leader } = await this.#hosts.agents.whole(WHOLE_MS_MAX);
    await query(this.#hosts.agents.connection(leader!), `drop table ${table}`);
  }

  #keep(load: Load): void {
    this.#options.directory.writes(load.writes.slice(this.#kept));
    this.#kept = load.writes.length;
  }

  /** Of the leadership since it was last asked. */
  async #changes(): Promise<Record<string, number>> {
    const changes: Record<string, number> = {};
    const histories = await Promise.all(
      this.#hosts.members.map((member) =>
        this.#hosts.agents
          .client(member)
          .history(SERVICE)
          .catch(() => []),
      ),
    );
    const longest = histories.toSorted((a, b) => (b.at(-1)?.term ?? 0) - (a.at(-1)?.term ?? 0))[0]!;
    if (this.#term > 0) for (const { term, why } of longest) if (term > this.#term) changes[why] = (changes[why] ?? 0) + 1;
    this.#term = longest.at(-1)?.term ?? this.#term;
    return changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The last comes first; each is tried, whatever becomes of the others.
    await using stack = new AsyncDisposableStack();
    stack.use(this.#clocks);
    stack.use(this.#hosts);
    stack.defer(() => this.#keepLogs());
    if (this.#load !== undefined) stack.use(this.#load);
    stack.defer(() => this.#faults.undoAll());
  }

  async #keepLogs(): Promise<void> {
    const stores = this.#hosts.names.map(async (name) => [`${name}/store.log`, await this.#hosts.storeOf(name).process.log()] as const);
    await this.#options.directory.keepLogs(this.#hosts.directory, Object.fromEntries(await Promise.all(stores)));
  }
}

function findingsOf({ missing, repeated, invented, outlived }: Verdict): Finding[] {
  const found: Finding[] = [
    { what: 'lost', rows: missing.map(({ row }) => row), detail: JSON.stringify(missing.slice(0, 3)) },
    { what: 'two primaries', rows: outlived.map(({ row }) => row), detail: JSON.stringify(outlived.slice(0, 3)) },
    { what: 'written twice', rows: repeated, detail: '' },
    { what: 'invented', rows: invented, detail: '' },
  ];
  return found.filter(({ rows }) => rows.length > 0);
}
