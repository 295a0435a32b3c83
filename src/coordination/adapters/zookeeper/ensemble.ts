import type { Clock } from '../../../core/clock.ts';
import { type Address, formatAddress } from '../../../core/address.ts';
import { abortable } from '../../../core/abortable.ts';
import { type ConnectOptions, Connection } from './connection.ts';
import type { TlsMaterial } from './dial.ts';
import { ZooKeeperFailure } from './failure.ts';
import { askServer, type ServerReport, type ServerRole } from './four-letter.ts';

/** After the first server has answered, how much longer to wait for the leader. */
const BETTER_MS = 60;
/** How long an answer to who leads is believed at most. A change of roles breaks connections, and that ends it at once. */
const REPORTS_MS = 30_000;

/** How often a server is asked whether it leads. */
const ROLE_ANSWERS = 3;

/** Lower is better. The leader first: every write and every confirmation of a session goes through it anyway. */
const preference: Readonly<Record<ServerRole, number>> = {
  leader: 0,
  standalone: 0,
  unknown: 1,
  follower: 2,
  observer: 3,
  idle: 4,
  'read-only': 5,
};

interface Limits {
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** What connections of one store have in common. */
export interface EnsembleOptions {
  readonly servers: readonly Address[];
  readonly tls: TlsMaterial | undefined;
  readonly digest: string | undefined;
}

/** The servers, as they can be reached now. */
export class Ensemble implements Disposable {
  readonly #options: EnsembleOptions;
  readonly #clock: Clock;
  /** Those that may connect again. */
  readonly clients = new Set<{ stop(): void }>();
  /** The latest transaction that any connection has heard of. */
  readonly seen = { zxid: 0n };
  readonly #over = new AbortController();
  #reports: { readonly atMs: number; readonly found: Promise<ServerReport[]> } | undefined;

  constructor(options: EnsembleOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Connects to the best server that answers. All are asked at once, so a stopped or unreachable one costs no time of its own.
   * @throws ZooKeeperFailure: `denied`, `expired`, else `away` with what each server said; the signal's reason
   */
  async connect(options: Omit<ConnectOptions, 'clock' | 'tls' | 'digest' | 'seen'>): Promise<Connection> {
    const failures: unknown[] = [];
    for (const { address, version } of await this.#candidates(options)) {
      try {
        if (isTooOld(version))
          throw new ZooKeeperFailure('refused', `${formatAddress(address)} is ZooKeeper ${version}`, {
            hint: 'Holdfast needs ZooKeeper 3.6 or newer.',
          });
        return await Connection.open(address, {
          ...options,
          clock: this.#clock,
          seen: this.seen,
          tls: this.#options.tls,
          digest: this.#options.digest,
        });
      } catch (error) {
        this.forget();
        options.signal.throwIfAborted();
        if (!(error instanceof ZooKeeperFailure) || error.kind === 'expired') throw error;
        failures.push(error);
      }
    }
    throw summary(failures);
  }

  /**
   * Whether the server at the other end is the one that decides when sessions end. Asked after connecting: a server that changes its role
   * closes its connections. Not believed of a single address that says to lead, nor of one that does not say the same each time: behind it
   * may be several servers (a load balancer), and who answered may not be who the connection goes to.
   */
  async leads(connection: Connection, limits: Limits): Promise<boolean> {
    const { address, ip } = connection;
    try {
      const options = ip === undefined ? limits : { ...limits, ip };
      const asked = await Promise.all(Array.from({ length: ROLE_ANSWERS }, () => this.#ask(address, options)));
      const alone = asked.every(({ role }) => role === 'standalone');
      const first = this.#options.servers.length > 1 && asked.every(({ role }) => role === 'leader');
      return (alone || first) && !connection.closed.aborted;
    } catch {
      return false;
    }
  }

  /** What was learned may be outdated: ask again next time. */
  forget(): void {
    this.#reports = undefined;
  }

  /** Ends all at once: open questions, and its clients, without a word to the servers. */
  [Symbol.dispose](): void {
    this.#over.abort(new ZooKeeperFailure('away', 'this client is closed'));
    for (const client of this.clients) client.stop();
  }

  async #candidates(limits: Limits): Promise<ServerReport[]> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#reports === undefined || nowMs - this.#reports.atMs > REPORTS_MS) {
      const reports = { atMs: nowMs, found: this.#survey(limits.limitMs) };
      this.#reports = reports;
      // Who waits for it hears of the failure; it is not to be remembered.
      reports.found.catch(() => this.#reports === reports && this.forget());
    }
    return abortable(this.#reports.found, limits.signal);
  }

  /** Best first. Resolves early with a leader, else shortly after the first answer. For all who ask at this time, so no one's signal ends it. */
  async #survey(limitMs: number): Promise<ServerReport[]> {
    const reports: ServerReport[] = [];
    const failures: unknown[] = [];
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const stop = new AbortController();
    let patience: Disposable | undefined;
    const asked = this.#options.servers.map(async (address) => {
      try {
        const report = await this.#ask(address, { limitMs, signal: AbortSignal.any([stop.signal, this.#over.signal]) });
        reports.push(report);
        if (preference[report.role] === 0) resolve();
        else patience ??= this.#clock.after(BETTER_MS, resolve);
      } catch (error) {
        failures.push(error);
      }
    });
    await Promise.race([enough, Promise.all(asked)]);
    patience?.[Symbol.dispose]();
    stop.abort();
    if (reports.length === 0) throw summary(failures);
    return reports.toSorted((a, b) => preference[a.role] - preference[b.role]);
  }

  #ask(address: Address, limits: Limits & { ip?: string }): Promise<ServerReport> {
    return askServer(address, { clock: this.#clock, tls: this.#options.tls, ...limits });
  }
}

/** Recursive watches came with 3.6. */
export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return version !== '' && (major < 3 || (major === 3 && minor < 6));
}

/** What is wrong at every server alike is wrong with the ensemble or our configuration; else a server is missing. */
function summary(failures: readonly unknown[]): ZooKeeperFailure {
  const known = failures.filter((failure) => failure instanceof ZooKeeperFailure);
  const [first] = known;
  if (first === undefined)
    return new ZooKeeperFailure('away', failures.length === 0 ? 'no server' : String(failures[0]), { cause: failures[0] });
  const kind = known.every((failure) => failure.kind === first.kind) ? first.kind : 'away';
  const hint = known.find((failure) => failure.hint !== '')?.hint ?? '';
  return new ZooKeeperFailure(kind, known.map((failure) => failure.message).join('; '), { hint, cause: first });
}
