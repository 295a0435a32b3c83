import type { Acknowledgement } from '../../src/engine/engine.ts';
import { sameAcknowledgement } from '../../src/failover/quorum.ts';
import { leadershipSchema, type LeadershipRecord, type PromiseRecord } from '../../src/failover/records.ts';
import { service } from './node.ts';
import type { DatabaseObserver } from './postgres/database.ts';
import type { DataDirectory, WalRecord } from './postgres/wal.ts';
import type { World } from './world.ts';

/** Something happened that must never happen. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Violation';
  }
}

interface AcknowledgedCommit {
  readonly record: WalRecord;
  readonly node: string;
  readonly term: number;
  /** By how many replicas; 0: the lease was its only fence. */
  readonly k: number;
}

/** What a read that is asked for now must show. */
export interface Expected {
  /** The highest term in which anybody has served. */
  readonly term: number;
  /** The newest write that was acknowledged to anybody, and to the one who asks. */
  readonly newest: WalRecord | undefined;
  readonly own: WalRecord | undefined;
}

interface Reign {
  readonly node: string;
  readonly term: number;
  readonly data: DataDirectory;
  /** What it began with. */
  readonly wal: readonly WalRecord[];
}

/**
 * What must hold in every run, checked as things happen:
 * - a commit acknowledged with k ≥ 1 in one term is in the data of every leader of a later term;
 * - nobody acknowledges once a leader of a later term began without that commit (so no two acknowledge in overlapping terms, and in
 *   asynchronous mode nothing is accepted after the lease);
 * - a promise that was spoken of is on disk, and a member never confirms anything to a primary of a lower term;
 * - the rule by which a database acknowledges is in the store's roster;
 * - a read through a router shows what its client was told to be written, and from the leader of the highest term all that anybody was
 *   told (k ≥ 1) before it was asked for. A former primary that is cut off, and does not know, may answer without the others' writes: so
 *   does PostgreSQL, until the router or its guard ends it;
 * - terms in the store and in service never go back, and none is anybody's but one's.
 */
export class Invariants implements DatabaseObserver {
  readonly #world: World;
  readonly acknowledgedCommits: AcknowledgedCommit[] = [];
  readonly reigns: Reign[] = [];
  readonly #spoken = new Map<string, number>();
  /** The last record in the store in which each node leads. */
  readonly #lastOf = new Map<string, LeadershipRecord>();
  readonly #forgiven = new Set<WalRecord>();
  #newest: AcknowledgedCommit | undefined;
  #term = 0;
  /** Reads that a former primary answered, and how many of them lacked something. */
  readonly former: { reads: number; stale: number } = { reads: 0, stale: 0 };
  /** Changes of leadership that members recorded, by why. */
  readonly changes: Map<string, number> = new Map();
  leadership: LeadershipRecord | undefined;
  violation: Violation | undefined;

  constructor(world: World) {
    this.#world = world;
    world.store.subscribe((key) => {
      if (key === `services/${service}/leadership`) this.#changed(key);
    });
  }

  #changed(key: string): void {
    const entry = this.#world.store.get(key);
    if (entry === undefined) return;
    const record = leadershipSchema.parse(JSON.parse(entry.value));
    this.#world.trace.add('store', 'leadership', {
      term: record.term,
      leader: record.leader,
      roster: show(record.roster),
      session: record.session,
    });
    if (this.leadership !== undefined && record.term < this.leadership.term)
      this.#fail(`the term went back from ${this.leadership.term} to ${record.term}`);
    if (this.leadership !== undefined && record.leader !== this.leadership.leader && record.term === this.leadership.term)
      this.#fail(`two leaders of term ${record.term}`);
    const before = this.leadership;
    if (before !== undefined && before.leader !== record.leader) this.#forgive(before, record.leader);
    this.leadership = record;
    this.#lastOf.set(record.leader, record);
  }

  acknowledged(node: string, record: WalRecord, rule: Acknowledgement | null): void {
    const term = this.#world.node(node).noteTerm();
    const commit: AcknowledgedCommit = { record, node, term, k: rule?.k ?? 0 };
    this.acknowledgedCommits.push(commit);
    if (commit.k > 0 && (this.#newest === undefined || record.index > this.#newest.record.index)) this.#newest = commit;
    for (const reign of this.reigns) {
      if (reign.term > term && reign.wal[record.index] !== record) {
        this.#fail(
          `${node} acknowledged row ${record.row} in term ${term} (k=${commit.k}), but ${reign.node} began term ${reign.term} without it before`,
        );
      }
    }
    this.#covered(node, rule, `acknowledged row ${record.row}`);
    if (commit.k === 0) this.#leased(node, record);
  }

  /** With nobody to confirm, only a lease that has not ended, or everybody's word, allows a commit. */
  #leased(node: string, record: WalRecord): void {
    const { leadership } = this;
    const confirmed = this.#world.time.nowMs < this.#world.node(node).noteConfirmed();
    if (leadership?.leader === node && (this.#world.store.isSessionAlive(leadership.session) || confirmed)) return;
    this.#fail(
      `${node} accepted row ${record.row} although its lease has ended (leader in the store: ${leadership?.leader}, term ${leadership?.term})`,
    );
  }

  /** Where commits wait for nobody any more, what its replicas do not have is lost with a leader, by the operator's own choice (`minimum: 0`): of its own timeline. */
  #forgive(last: LeadershipRecord, claimant: string): void {
    if (last.roster.some((configuration) => configuration.k > 0)) return;
    const { data } = this.#world.database(claimant);
    for (const { record } of this.acknowledgedCommits)
      if (record.timeline >= last.timeline && data?.has(record) !== true) this.#forgiven.add(record);
  }

  serves(node: string, data: DataDirectory): void {
    const host = this.#world.node(node);
    const term = host.noteTerm();
    const reign: Reign = { node, term, data, wal: [...data.wal] };
    this.#world.trace.add(node, 'SERVES', { term, timeline: data.timeline, end: data.end });
    const other = this.reigns.find((one) => one.term === term && one.node !== node);
    if (other !== undefined) this.#fail(`${node} serves in term ${term}, in which ${other.node} has served`);
    this.#term = Math.max(this.#term, term);
    this.reigns.push(reign);
    for (const commit of this.acknowledgedCommits) {
      if (commit.k > 0 && commit.term < term && !data.has(commit.record) && !this.#forgiven.has(commit.record)) {
        this.#fail(
          `${node} began term ${term} without row ${commit.record.row}, which ${commit.node} acknowledged in term ${commit.term} (k=${commit.k})`,
        );
        return;
      }
    }
    host.guard.check();
  }

  ruled(node: string, rule: Acknowledgement | null): void {
    this.#world.trace.add(node, 'RULE', { rule: show([rule ?? { k: 0, voters: [] }]) });
    this.#covered(node, rule, 'runs');
  }

  #covered(node: string, rule: Acknowledgement | null, what: string): void {
    const record = this.leadership?.leader === node ? this.leadership : this.#lastOf.get(node);
    if (record !== undefined && record.roster.some((configuration) => sameAcknowledgement(configuration, rule))) return;
    this.#fail(
      `${node} ${what} by ${show([rule ?? { k: 0, voters: [] }])}, which the roster does not have: ${record === undefined ? 'no record' : show(record.roster)}`,
    );
  }

  /** Asked when a client sends a read. @param own the last write that this client knows to be on a replica */
  expected(own: WalRecord | undefined): Expected {
    return { term: this.#term, newest: this.#newest?.record, own };
  }

  /** A primary answers a read. */
  read(node: string, data: DataDirectory, { term, newest, own }: Expected): void {
    const lacks = (record: WalRecord | undefined): record is WalRecord =>
      record !== undefined && !data.has(record) && !this.#forgiven.has(record);
    if (lacks(own)) this.#fail(`a read from ${node} does not show row ${own.row}, which its client had written`);
    const serving = this.#world.node(node).noteTerm();
    if (serving >= term) {
      if (lacks(newest)) this.#fail(`a read from ${node}, leader of term ${serving}, does not show row ${newest.row}`);
      return;
    }
    this.former.reads += 1;
    if (lacks(newest)) this.former.stale += 1;
  }

  /** A new agent begins with what the disk has. */
  started(node: string): void {
    this.#durable(node);
  }

  /** A member has told somebody that it promised. */
  spoke(node: string, term: number): void {
    this.#spoken.set(node, Math.max(term, this.#spoken.get(node) ?? 0));
    this.#durable(node);
  }

  #durable(node: string): void {
    const onDisk = this.#world.node(node).disk.peek('promise') as PromiseRecord | undefined;
    const spoken = this.#spoken.get(node) ?? 0;
    if ((onDisk?.promised ?? 0) < spoken)
      this.#fail(`${node} spoke of its promise of term ${spoken}, but has ${onDisk?.promised ?? 'nothing'} on disk`);
  }

  confirmed(replica: string, sender: string): void {
    const primary = this.#world.node(sender);
    if (primary.database.server?.role !== 'primary') return;
    const spoken = this.#spoken.get(replica) ?? 0;
    const term = primary.noteTerm();
    if (term < spoken) this.#fail(`${replica} confirmed WAL to ${sender} of term ${term} although it promised term ${spoken}`);
  }

  /** At the end, when all is calm: nothing is missing anywhere. */
  complete(leader: string): void {
    const { data } = this.#world.database(leader);
    const guarded = this.acknowledgedCommits.filter((commit) => commit.k > 0 && !this.#forgiven.has(commit.record));
    const missing = guarded.filter((commit) => data?.has(commit.record) !== true);
    if (missing.length > 0) this.#fail(`${leader} lacks ${missing.length} acknowledged rows, the first is row ${missing[0]!.record.row}`);
    for (const node of this.#world.names) this.#durable(node);
  }

  /** A member records something for its ledger. */
  recorded(kind: string, data: Readonly<Record<string, unknown>>): void {
    if (kind !== 'leadership.changed') return;
    const why = String(data['why']);
    this.changes.set(why, (this.changes.get(why) ?? 0) + 1);
  }

  /** Something was thrown that nobody caught: in a member, or in the simulation itself. */
  broken(error: unknown): void {
    if (error instanceof Violation) return this.#fail(error.message);
    this.#fail(`thrown and not caught: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }

  #fail(message: string): void {
    if (this.violation !== undefined) return;
    this.#world.trace.add('!!!', message);
    this.violation = new Violation(message);
  }
}

export function show(roster: readonly Acknowledgement[]): string {
  return roster.map((one) => (one.k === 0 ? 'alone' : `${one.k} of ${one.voters.join(',')}`)).join(' + ');
}
