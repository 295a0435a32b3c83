import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceAccount } from '../../src/agent/account.ts';
import { createClock } from '../../src/runtime/index.ts';
import { EtcdCluster } from '../../test/scenario/servers/etcd.ts';
import { buildPackage } from '../kit/package.ts';
import { eventNames, type Contender, type EventName, type Kind } from './contender.ts';
import { Holdfast } from './holdfast.ts';
import { emptyOutcome, type Outcome } from './metrics.ts';
import type { Options } from './options.ts';
import { Patroni } from './patroni/patroni.ts';
import { Race, type Repetition } from './race.ts';
import { saturate } from './saturated.ts';

/** A cluster that could not be brought through so many repetitions in a row takes part no longer. */
const FAILURES_MAX = 2;

export interface Surroundings {
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
  /** Called when there is more to keep. */
  readonly save: () => Promise<void>;
}

/** Holdfast alone, then Patroni alone, and at the end both together with all cores busy. */
export class Contest {
  readonly outcomes = new Map<Kind, Outcome>();
  readonly notes: string[] = [];
  readonly #options: Options;
  readonly #around: Surroundings;
  #program: Promise<string> | undefined;
  #started = 0;

  constructor(options: Options, around: Surroundings) {
    this.#options = options;
    this.#around = around;
    for (const kind of options.contenders) this.outcomes.set(kind, emptyOutcome(kind));
  }

  async run(): Promise<void> {
    const { events, contenders } = this.#options;
    const alone = events.some((event) => event !== 'saturated' && event !== 'pgbouncer-switchover');
    if (alone && contenders.includes('holdfast')) await this.#alone('holdfast');
    if (events.includes('pgbouncer-switchover') && contenders.includes('holdfast')) await this.#behindPgbouncer();
    if (alone && contenders.includes('patroni')) await this.#alone('patroni');
    if (events.includes('saturated')) await this.#together();
  }

  async #alone(kind: Kind): Promise<void> {
    const { events, patroniClusters, repetitions } = this.#options;
    const outcome = this.outcomes.get(kind)!;
    const clusters = kind === 'patroni' ? patroniClusters : 1;
    await using stack = new AsyncDisposableStack();
    const races = await this.#start(kind, clusters, stack);
    if (clusters > 1) this.notes.push(`Patroni: ${clusters} independent clusters were raced at once, each with a client of its own.`);
    if (events.includes('at-rest')) {
      this.#around.tell(`${kind}: agents at rest`);
      outcome.atRest.push(...(await Promise.all(races.map((race) => race.atRest(this.#options.restSeconds)))).flat());
      await this.#around.save();
    }
    for (const event of eventNames) {
      if (!events.includes(event) || event === 'pgbouncer-switchover') continue;
      await this.#repeat(event, repetitions, races, outcome);
      await this.#around.save();
    }
    await this.#countLost(races, outcome);
  }

  async #behindPgbouncer(): Promise<void> {
    const outcome = this.outcomes.get('holdfast')!;
    await using stack = new AsyncDisposableStack();
    this.#around.tell('holdfast behind PgBouncer: starts');
    const contender = stack.use(await this.#holdfast({ pgbouncer: true }));
    const race = stack.use(await Race.start(contender, { stallSeconds: this.#options.stallSeconds, signal: this.#around.signal }));
    await this.#repeat('pgbouncer-switchover', this.#options.repetitions, [race], outcome);
    await this.#countLost([race], outcome);
  }

  async #countLost(races: readonly Race[], outcome: Outcome): Promise<void> {
    for (const race of races) {
      const { acked, lost } = await race.lostOfAll();
      outcome.acked += acked;
      outcome.lostInTheEnd += lost;
    }
    await this.#around.save();
  }

  /** Each cluster takes the next repetition as soon as it is done with one. */
  async #repeat(event: EventName, count: number, races: readonly Race[], outcome: Outcome): Promise<void> {
    let taken = 0;
    await Promise.all(
      races.map(async (race) => {
        for (let failed = 0; taken < count && failed < FAILURES_MAX;) {
          const number = ++taken;
          try {
            const repetition = await race.repeat(event);
            outcome.repetitions.push(repetition);
            this.#around.tell(`${race.contender.name}: ${event} ${number}/${count}: ${describe(repetition)}`);
            failed = 0;
          } catch (error) {
            this.#around.signal.throwIfAborted();
            failed++;
            const why = `${race.contender.name}: ${event} ${number}/${count} could not be brought to an end: ${String(error)}`;
            outcome.failures.push(why);
            this.#around.tell(why);
          }
        }
      }),
    );
  }

  async #together(): Promise<void> {
    const { contenders, saturatedMinutes } = this.#options;
    await using stack = new AsyncDisposableStack();
    const races: Race[] = [];
    for (const kind of contenders) races.push(...(await this.#start(kind, 1, stack)));
    this.#around.tell(`all cores busy for ${saturatedMinutes} minutes`);
    const seen = await saturate(races, saturatedMinutes, this.#around.signal);
    for (const { contender } of races) this.outcomes.get(contender.kind)!.saturated.push(seen.get(contender.name)!);
    if (races.length > 1) this.notes.push('With all cores busy both were watched at once, on the same machine.');
    await this.#around.save();
  }

  async #start(kind: Kind, clusters: number, stack: AsyncDisposableStack): Promise<Race[]> {
    const { stallSeconds } = this.#options;
    const { signal, tell } = this.#around;
    tell(`${kind}: starts`);
    const contenders = kind === 'holdfast' ? [stack.use(await this.#holdfast())] : await this.#patroni(clusters, stack);
    return await startAll(
      contenders.map((contender) => Race.start(contender, { stallSeconds, signal })),
      stack,
    );
  }

  async #holdfast(how: { pgbouncer?: boolean } = {}): Promise<Contender> {
    const { postgresBin, etcdMembers } = this.#options;
    this.#program ??= buildPackage(join(this.#around.directory, 'package'));
    return await Holdfast.start({
      directory: this.#newDirectory('holdfast'),
      program: await this.#program,
      postgresBin,
      etcdMembers,
      ...how,
    });
  }

  /** One etcd for them all, as Holdfast has one for itself. */
  async #patroni(clusters: number, stack: AsyncDisposableStack): Promise<Contender[]> {
    const { postgresBin, etcdMembers, timing, synchronous } = this.#options;
    const etcd = stack.use(await EtcdCluster.start(createClock(), { members: etcdMembers }));
    const account = await serviceAccount(undefined, true);
    return await startAll(
      Array.from({ length: clusters }, async (_, index) => {
        const name = `patroni ${index + 1}`;
        const directory = this.#newDirectory(name.replace(' ', '-'));
        await mkdir(directory, { recursive: true });
        const { endpoints } = etcd;
        return await Patroni.start({
          name,
          directory,
          etcd: endpoints,
          postgresBin,
          timing,
          synchronous,
          account,
          signal: this.#around.signal,
        });
      }),
      stack,
    );
  }

  #newDirectory(name: string): string {
    return join(this.#around.directory, `${name}-${++this.#started}`);
  }
}

/** Those that came up are disposed of with the stack, also where others did not. */
async function startAll<T extends AsyncDisposable>(starts: readonly Promise<T>[], stack: AsyncDisposableStack): Promise<T[]> {
  const settled = await Promise.allSettled(starts);
  const started = settled.flatMap((one) => (one.status === 'fulfilled' ? [stack.use(one.value)] : []));
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  return started;
}

function describe(repetition: Repetition): string {
  const { gapMs, errors, lost, rejoinMs, twoPrimaries } = repetition;
  const parts = [`no rows for ${Math.round(gapMs)} ms`, `${errors} errors`, `${lost} lost`];
  if (rejoinMs !== undefined) parts.push(`streams again after ${Math.round(rejoinMs)} ms`);
  if (twoPrimaries !== undefined) parts.push(`two primaries for ${Math.round(twoPrimaries.overlapMs)} ms`);
  return parts.join(', ');
}
