import type { Clock } from '../../../core/clock.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { Driver, Observed, Order } from '../../driven-router.ts';
import type { Target } from '../../router.ts';
import type { PgbouncerConfig } from './config.ts';
import { Console, type Row } from './console.ts';
import { DatabasesFile, formatSettings, type Databases } from './databases-file.ts';

/**
 * Points PgBouncer's databases at whoever leads. It has no command for that: they stand in a file that it includes, which is written anew and
 * reloaded. While nobody leads, or is about to lead no more, the writers' database is paused: clients wait and see no error.
 */
export class PgbouncerDriver implements Driver {
  readonly #config: PgbouncerConfig;
  readonly #file: DatabasesFile;
  readonly #console: Console;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** When writers were last pointed elsewhere, in monotonic time; undefined once none is left where they were. */
  #movedMs: number | undefined;

  /** @throws ROUTER_PROGRAM_DENIED when its file can not be made: PgBouncer would not start without */
  static async open(service: string, config: PgbouncerConfig, runtime: Runtime): Promise<PgbouncerDriver> {
    const driver = new PgbouncerDriver(service, config, runtime);
    if ((await driver.#file.read()) === undefined) await driver.#file.write({ term: 0, entries: new Map() });
    return driver;
  }

  private constructor(service: string, config: PgbouncerConfig, { clock, logger }: Runtime) {
    this.#config = config;
    this.#file = new DatabasesFile(config.file);
    this.#console = new Console(config);
    this.#clock = clock;
    this.#logger = logger.child({ service });
  }

  async carryOut(order: Order, signal: AbortSignal): Promise<Observed> {
    const present = (await this.#file.read()) ?? { term: 0, entries: new Map<string, string>() };
    if (present.term > order.term) return { outdoneBy: present.term, connections: await this.#count(signal), cut: 0 };
    const wanted = this.#databasesFor(order, present);
    const moves = !haveSame(present.entries, wanted.entries);
    if (moves || present.term < wanted.term) await this.#file.write(wanted);
    await this.#point(order, moves, signal);
    await this.#pauseOrResume(order.waiting, signal);
    const cut = order.waiting ? 0 : await this.#cutStale(signal);
    return { connections: await this.#count(signal), cut };
  }

  async letGo(signal: AbortSignal): Promise<void> {
    await this.#pauseOrResume(false, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#console[Symbol.asyncDispose]();
  }

  #databasesFor(order: Order, present: Databases): Databases {
    const { write, read } = this.#config;
    const entries = new Map<string, string>();
    const put = (name: string | undefined, targets: readonly Target[]): void => {
      if (name === undefined) return;
      const entry = targets.length === 0 ? present.entries.get(name) : this.#entry(name, targets);
      if (entry !== undefined) entries.set(name, entry);
    };
    // Without a leader things stay as they are: there is nobody better.
    put(write, order.leader === undefined ? [] : [order.leader]);
    put(read, samePort(order.readers));
    return { term: order.term, entries };
  }

  #entry(name: string, targets: readonly Target[]): string {
    const { database, parameters } = this.#config;
    return formatSettings({ ...parameters, host: hostsOf(targets), port: String(targets[0]!.port), dbname: database ?? name });
  }

  /** Has PgBouncer read the file where it does not do as that says. */
  async #point(order: Order, moves: boolean, signal: AbortSignal): Promise<void> {
    const { write, read, file } = this.#config;
    const isRight = (rows: readonly Row[], name: string | undefined, targets: readonly Target[]): boolean => {
      if (name === undefined || targets.length === 0) return true;
      const row = rows.find((one) => one['name'] === name);
      return row?.['host'] === hostsOf(targets) && Number(row['port']) === targets[0]!.port;
    };
    const leader = order.leader === undefined ? [] : [order.leader];
    const areRight = (rows: readonly Row[]): boolean => isRight(rows, write, leader) && isRight(rows, read, samePort(order.readers));
    const before = await this.#console.run('SHOW DATABASES', signal);
    if (!moves && areRight(before)) return;
    await this.#console.run('RELOAD', signal);
    const after = await this.#console.run('SHOW DATABASES', signal);
    if (!areRight(after)) {
      throw new HoldfastError('ROUTER_PROGRAM_UNFIT', `PgBouncer does not go by ${file} after a reload`, {
        retryable: true,
        hint: `Add '%include ${file}' to PgBouncer's own file, let its user read that, and name these databases nowhere else.`,
      });
    }
    // Connections to the former server are marked by that, and close when they are released.
    if (areRight(before)) return;
    if (!isRight(before, write, leader)) this.#movedMs = this.#clock.monotonicMs();
    this.#logger.info('routing.pgbouncer.pointed', { term: order.term, leader: order.leader?.node });
  }

  async #pauseOrResume(pause: boolean, signal: AbortSignal): Promise<void> {
    const { write } = this.#config;
    const row = (await this.#console.run('SHOW DATABASES', signal)).find((one) => one['name'] === write);
    if (write === undefined || row === undefined) return;
    const isPaused = Number(row['paused']) === 1;
    // Returns when all transactions have ended. It is paused from the first moment, and stays so when this connection is cut.
    if (pause && !isPaused) await this.#console.run(`PAUSE ${quoted(write)}`, signal);
    if (!pause && isPaused) await this.#console.run(`RESUME ${quoted(write)}`, signal);
  }

  /** Ends what still goes on at a server that does not lead any more. */
  async #cutStale(signal: AbortSignal): Promise<number> {
    const { write, stale } = this.#config;
    if (write === undefined || this.#movedMs === undefined) return 0;
    const servers = await this.#console.run('SHOW SERVERS', signal);
    if (!servers.some((row) => row['database'] === write && Number(row['close_needed']) === 1)) {
      this.#movedMs = undefined;
      return 0;
    }
    if (this.#clock.monotonicMs() - this.#movedMs < stale) return 0;
    const { write: count } = await this.#count(signal);
    await this.#console.run(`KILL ${quoted(write)}`, signal);
    await this.#console.run(`RESUME ${quoted(write)}`, signal);
    this.#movedMs = undefined;
    return count;
  }

  async #count(signal: AbortSignal): Promise<Observed['connections']> {
    const pools = await this.#console.run('SHOW POOLS', signal);
    const sum = (database: string | undefined, column: string): number =>
      pools.filter((row) => row['database'] === database).reduce((total, row) => total + Number(row[column] ?? 0), 0);
    const { write, read } = this.#config;
    return {
      write: sum(write, 'cl_active'),
      read: sum(read, 'cl_active'),
      held: sum(write, 'cl_waiting') + sum(read, 'cl_waiting'),
    };
  }
}

/** PgBouncer takes several hosts for one database, but one port. */
function samePort(targets: readonly Target[]): readonly Target[] {
  return targets.filter(({ port }) => port === targets[0]!.port);
}

function hostsOf(targets: readonly Target[]): string {
  return targets.map(({ host }) => host).join(',');
}

function haveSame(a: Databases['entries'], b: Databases['entries']): boolean {
  return a.size === b.size && [...a].every(([name, settings]) => b.get(name) === settings);
}

/** The configuration allows letters, digits, `_`, `.` and `-` only. */
function quoted(name: string): string {
  return `"${name}"`;
}
