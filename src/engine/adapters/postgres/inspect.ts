import type { EngineObservation, Position, ReplicaObservation } from '../../engine.ts';
import { messageOf, type HoldfastError } from '../../../core/errors.ts';
import { parseConninfo } from './configuration.ts';
import { examineData, isFreshCopy, isReplicaData, lastRole, rejoinUnfinished, type DataState } from './data-directory.ts';
import { readControlFile, type ControlFile } from './control-file.ts';
import { DiskWatch, impaired } from './disk-watch.ts';
import { accepts, nowhere } from './freeze.ts';
import type { Member } from './member.ts';
import { furthest, lsnOf, timelineAt } from './position.ts';
import { parseRule } from './rule.ts';
import { rotateLogInUse } from './server-files.ts';
import type { Row } from './session.ts';
import { slotName } from './slot-name.ts';

const inspectMsMax = 1_000;
/** Of this second, what is the server's. */
const answerMs = 900;
/** What changes rarely is not asked each time: settings that wait for a restart, damaged pages, the size of the log. */
const seldomMs = 2_000;
/** Nobody exchanges the data of a running server: each look at them takes some twenty calls to the file system, on as many wake-ups. */
const examinedMs = 1_000;
/** … and of one that answers even less. */
const examinedWellMs = 10_000;

/** Everything in one statement, for both roles. */
const statement = `
  select recovering,
         case when not recovering then pg_current_wal_flush_lsn()::text end as flushed,
         case when not recovering then pg_walfile_name(pg_current_wal_flush_lsn()) end as file,
         case when not recovering then pg_current_wal_insert_lsn()::text end as inserted,
         pg_last_wal_receive_lsn()::text as received,
         pg_last_wal_replay_lsn()::text as replayed,
         current_setting('synchronous_standby_names') as rule,
         current_setting('primary_conninfo') as conninfo,
         (select json_build_object('streaming', status = 'streaming', 'timeline', received_tli) from pg_stat_wal_receiver) as receiver,
         (select json_agg(json_build_object('node', application_name, 'slot', slot_name, 'state', state, 'flush', flush_lsn::text, 'replay', replay_lsn::text,
                                            'sync', sync_state))
            from pg_stat_replication join pg_replication_slots on active_pid = pid where state in ('streaming', 'catchup')) as replicas
    from pg_is_in_recovery() as recovering`;

const seldomAsked = `
  select exists (select from pg_settings where pending_restart) as pending,
         (select coalesce(sum(checksum_failures), 0)::float8 from pg_stat_database) as damaged`;

/** What is so right now. Remembers nothing but what is slow to ask. */
export class Inspector {
  readonly #member: Member;
  readonly #disk: DiskWatch;
  #seldom = { askedMs: Number.NEGATIVE_INFINITY, pending: false, damaged: 0 };
  #examined: { atMs: number; pid: number; found: DataState } | undefined;
  #timeline = { segment: -1n, timeline: -1 };
  /** What the main process was when it last answered: one that stands still has not become anything else. */
  #was: { readonly pid: number; readonly role: EngineObservation['role'] } | undefined;
  /** Whether it answered when last asked. */
  #answers = false;
  /** While a rule is being changed none is in force everywhere. */
  ruleInMotion = false;

  constructor(member: Member) {
    this.#member = member;
    this.#disk = new DiskWatch(member);
  }

  /** Within a second, even if a disk or a server stands still. */
  async inspect(signal: AbortSignal): Promise<EngineObservation> {
    const { promise, resolve } = Promise.withResolvers<EngineObservation>();
    using _timer = this.#member.runtime.clock.after(inspectMsMax, () => resolve(this.#unknown()));
    const inspection = this.#inspect(signal);
    inspection.catch(() => {});
    const observation = await Promise.race([inspection, promise]);
    this.#answers = observation.accepting;
    return observation;
  }

  /** What is known without asking anything. */
  #unknown(): EngineObservation {
    const main = this.#member.server.main;
    const failure = {
      code: 'ENGINE_NOT_ANSWERING',
      message: 'The member could not be inspected within a second',
      hint: "Look at the disk of its data directory, and at the server's log.",
    };
    return {
      data: 'present',
      running: main !== undefined,
      accepting: false,
      role: main !== undefined && this.#was?.pid === main.pid ? this.#was.role : 'none',
      replicas: [],
      pendingRestart: false,
      failure,
      ...(main === undefined ? {} : { pid: main.pid }),
    };
  }

  async #inspect(signal: AbortSignal): Promise<EngineObservation> {
    const { places, binaries, server } = this.#member;
    const none = { running: false, accepting: false, role: 'none', replicas: [], pendingRestart: false } as const;
    const found = await this.#examine();
    if (found.state === 'absent') return { ...none, data: 'absent' };
    if (found.state === 'foreign') return { ...none, data: 'foreign', failure: failureOf(found.failure) };
    const space = impaired(this.#disk.space(found.control.segmentBytes));
    const known = { data: 'present', systemId: found.control.systemId, version: binaries.version.text, ...space } as const;
    if (found.rejoining) return { ...none, ...known, position: nowhere, failure: failureOf(rejoinUnfinished(places.data)) };
    const main = server.main;
    const resting = isFreshCopy(places.data) ? nowhere : restingPosition(found.control);
    const stoppedAs = main === undefined ? lastRole(places.data, found.control) : undefined;
    if (main === undefined) return { ...none, ...known, position: resting, ...(stoppedAs === undefined ? {} : { stoppedAs }) };
    const running = { ...none, ...known, running: true, pid: main.pid, role: isReplicaData(places.data) ? 'replica' : 'primary' } as const;
    if (!accepts(this.#member)) return { ...running, position: resting };
    try {
      const answer = { ...running, accepting: true, ...(await this.#ask(found.control.segmentBytes, signal)) };
      this.#was = answer;
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      return { ...running, position: resting, failure: failureOf(error) };
    }
  }

  async #ask(segmentBytes: bigint, signal: AbortSignal): Promise<Partial<EngineObservation>> {
    const { sessions, runtime, places } = this.#member;
    const deadline = runtime.clock.monotonicMs() + answerMs;
    const limits = () => ({ timeoutMs: Math.max(1, deadline - runtime.clock.monotonicMs()), signal });
    const session = await sessions.shared('inspecting', limits());
    const [row] = await session.query(statement, { ...limits(), name: 'inspect' });
    const now = runtime.clock.monotonicMs();
    if (now - this.#seldom.askedMs > seldomMs) {
      const [asked] = await session.query(seldomAsked, { ...limits(), name: 'inspect-seldom' });
      this.#seldom = { askedMs: now, pending: asked?.['pending'] === true, damaged: Number(asked?.['damaged'] ?? 0) };
      await rotateLogInUse(places.log);
    }
    const role = row!['recovering'] === true ? await this.#replica(row!, segmentBytes) : this.#primary(row!);
    const { pending, damaged } = this.#seldom;
    return { ...role, replicas: parseReplicas(row!['replicas']), pendingRestart: pending, damagedPages: damaged };
  }

  #primary(row: Row): Partial<EngineObservation> {
    const acknowledge = this.ruleInMotion ? undefined : parseRule(String(row['rule']));
    const flushedLsn = lsnOf(row['flushed']);
    return {
      role: 'primary',
      position: { timeline: Number.parseInt(String(row['file']).slice(0, 8), 16), lsn: flushedLsn },
      ...impaired(this.#disk.flushing(lsnOf(row['inserted']), flushedLsn)),
      ...(acknowledge === undefined ? {} : { acknowledge }),
    };
  }

  async #replica(row: Row, segmentBytes: bigint): Promise<Partial<EngineObservation>> {
    const replayLsn = lsnOf(row['replayed']);
    const lsn = furthest(lsnOf(row['received']), replayLsn);
    const receiver = row['receiver'] as { streaming: boolean; timeline: number } | null;
    const timeline = await this.#timelineAt(lsn, segmentBytes, receiver?.timeline);
    const upstream = parseConninfo(String(row['conninfo']));
    return {
      role: 'replica',
      position: { timeline, lsn },
      replayLsn,
      ...(upstream === undefined ? {} : { upstream: { node: upstream.node, streaming: receiver?.streaming === true } }),
    };
  }

  /** Looked up again only in a new segment, or when the receiver is on another timeline than it was. */
  async #timelineAt(lsn: bigint, segmentBytes: bigint, received: number | undefined): Promise<number> {
    const segment = lsn / segmentBytes;
    if (segment !== this.#timeline.segment || received !== this.#timeline.timeline) {
      const { data } = this.#member.places;
      const timeline = await timelineAt(data, lsn, await readControlFile(data));
      this.#timeline = { segment, timeline };
    }
    return this.#timeline.timeline;
  }

  async #examine(): Promise<DataState> {
    const { places, context, binaries, server, runtime } = this.#member;
    const pid = server.main?.pid;
    const atMs = runtime.clock.monotonicMs();
    if (pid !== undefined && this.#examined?.pid === pid && atMs - this.#examined.atMs < (this.#answers ? examinedWellMs : examinedMs))
      return this.#examined.found;
    const found = await examineData(places, context, binaries.version);
    this.#examined = pid === undefined ? undefined : { atMs, pid, found };
    return found;
  }
}

/** A lower bound: what lies after the last checkpoint is not looked at here. */
function restingPosition(control: ControlFile): Position {
  return { timeline: control.timeline, lsn: furthest(control.checkpointLsn, control.minRecoveryLsn) };
}

/** Members alone, which stream by their own slot: a backup or another program that reads WAL is nobody to count on, whatever it calls itself. */
function parseReplicas(value: unknown): ReplicaObservation[] {
  const rows = (value ?? []) as {
    node: string;
    slot: string;
    state: string;
    flush: string | null;
    replay: string | null;
    sync: ReplicaObservation['sync'];
  }[];
  const members = rows.filter(({ node, slot }) => slot === slotName(node));
  return members.map((row) => ({
    node: row.node,
    state: row.state,
    flushLsn: lsnOf(row.flush),
    replayLsn: lsnOf(row.replay),
    sync: row.sync,
  }));
}

function failureOf(error: unknown): NonNullable<EngineObservation['failure']> {
  const known = error as Partial<HoldfastError>;
  const code = typeof known.code === 'string' && /^[A-Z]+_/.test(known.code) ? known.code : 'ENGINE_NOT_ANSWERING';
  return { code, message: messageOf(error), hint: typeof known.hint === 'string' ? known.hint : '' };
}
