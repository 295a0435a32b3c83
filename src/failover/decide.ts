import { comparePositions, type Acknowledgement } from '../engine/engine.ts';
import { decideRestore, decideWithoutLeadership, highestPromise, nothing } from './decide-first.ts';
import { fromWire } from './messages.ts';
import type { Observation, PeerView } from './observation.ts';
import { grantsNeeded, isLeaseFenced, rosterStep, wantedAcknowledgement, type RosterStep, type VoterView } from './quorum.ts';
import type { LeadershipRecord, Roster } from './records.ts';

/** What a member is to do next. `say` is its state in one word for people, `why` the reason in a sentence. */
export type Decision = { readonly say: string; readonly why: string } & Action;

export type Action =
  | { readonly act: 'nothing' }
  /** Claim the first leadership of an empty service and make its data. */
  | { readonly act: 'bootstrap' }
  /** The store knows nothing but members have data: the most advanced claims the leadership anew. */
  | { readonly act: 'reestablish'; readonly term: number }
  /**
   * The leadership is mine: put my session (and a higher term, if one was promised away or the database starts anew) into it. Also how a
   * take-over that died half way is finished: only the store can tell that nobody has claimed the leadership since.
   */
  | { readonly act: 'reclaim'; readonly term: number; readonly start: boolean }
  | { readonly act: 'roster'; readonly step: Exclude<RosterStep, { step: 'none' | 'wait' }>; readonly from: Roster }
  /** Stop the database at once: it must not acknowledge anything more. */
  | { readonly act: 'stop' }
  /** Give up the leadership: say so to the others, and stay down. */
  | { readonly act: 'release'; readonly stop: boolean }
  | { readonly act: 'follow'; readonly leader: string }
  | { readonly act: 'rejoin'; readonly leader: string }
  | { readonly act: 'provision'; readonly leader: string; readonly setAside: boolean }
  | { readonly act: 'elect' };

/** Between ranks of candidates, beyond the beat in which the better one may notice later: long enough for it to have asked for promises. */
const RANK_DELAY_MS = 150;
/** Starts in a row that failed, after which a leader rather lets another try. */
const FAILED_STARTS_MAX = 3;
/** A disk that is full for so long is not full for a passing query's sake. */
const FULL_MS = 2_000;
/** A replica that was told whom to follow is given so long to connect before it is told, and checked, again. */
const FOLLOW_AGAIN_MS = 3_000;

/** The next step of one member. Pure. */
export function decide(o: Observation): Decision {
  if (o.engine.data === 'foreign') {
    const failure = o.engine.failure;
    return nothing('foreign', failure ? `${failure.message}. ${failure.hint}` : 'the data directory is not this cluster’s');
  }
  if (o.leadership === undefined) {
    return nothing('waiting', 'the coordination store has not been reached yet: without it nobody knows who leads');
  }
  const claimed = highestClaim(o);
  if (o.leadership === null) return decideWithoutLeadership(o, claimed);
  const record = o.leadership.value;
  if (record.term < o.seen) {
    if (o.servingTerm === o.seen && o.engine.running && o.engine.role === 'primary') {
      return {
        act: 'reestablish',
        term: Math.max(o.seen, highestPromise(o)) + 1,
        say: 'reestablishing',
        why: 'the store was restored from the past; this member leads',
      };
    }
    return nothing(
      'out',
      `the store shows term ${record.term}, but term ${o.seen} was seen before: it was restored from the past. Find out which member leads, then reinit this one`,
    );
  }
  if (claimed !== undefined && claimed.term > record.term && claimed.node !== o.self.node) {
    if (o.engine.running && o.engine.role === 'primary')
      return { act: 'stop', say: 'demoting', why: `${claimed.node} leads at the higher term ${claimed.term}` };
    return nothing('waiting', `${claimed.node} leads at term ${claimed.term}, which the store here does not show yet`);
  }
  const restore = decideRestore(o, record);
  if (restore !== undefined) return restore;
  return record.leader === o.self.node ? decideAsLeader(o, record) : decideAsFollower(o, record);
}

/** Whoever says that it serves at the highest term. */
function highestClaim(o: Observation): { node: string; term: number } | undefined {
  let best: { node: string; term: number } | undefined;
  for (const peer of o.peers) {
    if (peer.state.serving > (best?.term ?? 0)) best = { node: peer.node, term: peer.state.serving };
  }
  return best;
}

// ---------------------------------------------------------------- the leadership is mine

function decideAsLeader(o: Observation, record: LeadershipRecord): Decision {
  const { engine } = o;
  const promisedTo = Math.max(highestPromise(o), record.term);
  if (engine.running && engine.role === 'primary') return decideAsServingLeader(o, record, promisedTo);
  if (o.paused) return nothing('paused', 'the service is paused: its database is left as it is');
  // It runs, and has not said yet as what: not a database that is down.
  if (engine.running && engine.role === 'none') {
    const unfit = unfitToServe(o, record);
    if (unfit === undefined) return nothing('starting', 'the database runs, but does not answer');
    return { act: 'release', stop: true, say: 'released', why: unfit };
  }
  if (engine.data === 'absent') {
    if (record.systemId === null && o.self.replicated)
      return { act: 'bootstrap', say: 'bootstrapping', why: 'the first data were not finished' };
    if (o.self.replicated) return releaseEnded(o, record, 'this member leads but its data are gone: another must take over');
  }
  if (!o.storeReachable)
    return nothing('stopped', 'the database is down and the store does not answer: nobody can confirm that this member still leads');
  if (engine.role === 'replica' || engine.stoppedAs === 'replica') {
    return {
      act: 'reclaim',
      term: promisedTo + 1,
      start: true,
      say: 'promoting',
      why: 'the leadership was claimed, the promotion not finished',
    };
  }
  const down = o.downSinceMs === undefined ? Infinity : o.nowMs - o.downSinceMs;
  if (o.failedStarts >= FAILED_STARTS_MAX && canHandOver(o, record, 'may lose')) {
    return releaseEnded(o, record, `the database did not start ${o.failedStarts} times in a row`);
  }
  const gaveUp = o.releasedTerm === record.term;
  const ranUntilNow = o.servingTerm === record.term || gaveUp;
  if (o.self.replicated && ranUntilNow && down < o.policy.handOverMs && canHandOver(o, record, gaveUp ? 'may lose' : 'lossless')) {
    return releaseEnded(o, record, 'the database is down: another member takes over');
  }
  return {
    act: 'reclaim',
    term: promisedTo + 1,
    start: true,
    say: 'restarting',
    why: 'the database is down and nobody can take over faster than it starts',
  };
}

/** Of a database that does not run. Once given up there is nothing left to do but to wait. */
function releaseEnded(o: Observation, record: LeadershipRecord, why: string): Decision {
  return o.releasedTerm === record.term ? nothing('released', why) : { act: 'release', stop: false, say: 'released', why };
}

function decideAsServingLeader(o: Observation, record: LeadershipRecord, promisedTo: number): Decision {
  const unfit = unfitToServe(o, record);
  if (unfit !== undefined) return { act: 'release', stop: true, say: 'released', why: unfit };
  if (o.releasedTerm === record.term && !o.engine.accepting && canHandOver(o, record, 'may lose'))
    return { act: 'release', stop: true, say: 'released', why: 'another member takes over; the database has yet to end' };
  if (o.storeReachable && promisedTo > record.term) {
    return {
      act: 'reclaim',
      term: promisedTo + 1,
      start: false,
      say: 'reclaiming',
      why: `a member has promised term ${promisedTo}, yet nobody took over`,
    };
  }
  const mineByNow =
    o.sessionId !== undefined && record.session === o.sessionId && o.servingTerm === record.term && describesData(o, record);
  if (!mineByNow) {
    if (!o.storeReachable) return nothing(o.servingTerm === record.term ? 'running' : 'waiting', 'the store does not answer');
    if (o.sessionId !== undefined)
      return {
        act: 'reclaim',
        term: record.term,
        start: false,
        say: 'running',
        why: 'the leadership does not name this agent’s session, or not its data',
      };
  }
  if (!engineReady(o)) return nothing('starting', 'the database does not answer yet');
  if (!o.storeReachable || o.paused || !o.self.replicated) return nothing('running', o.paused ? 'paused' : 'serving');
  const step = rosterStep(record.roster, o.inForce, wantedRoster(o, record), o.caughtUp);
  if (step.step === 'none') return nothing('running', 'serving');
  if (step.step === 'wait') return nothing('running', 'serving; waiting for a new voter to catch up');
  return { act: 'roster', step, from: record.roster, say: 'running', why: `the acknowledging quorum changes (${step.step})` };
}

/** Why a database that runs is better ended for another to take over; undefined: it is not. To be alive is not to be well. */
function unfitToServe(o: Observation, record: LeadershipRecord): string | undefined {
  const { impairment } = o.engine;
  const stuckMs = o.unresponsiveSinceMs === undefined ? 0 : o.nowMs - o.unresponsiveSinceMs;
  const impairedMs = o.impairedSinceMs === undefined ? 0 : o.nowMs - o.impairedSinceMs;
  if (stuckMs > o.policy.unresponsiveMs && canHandOver(o, record, 'may lose')) return 'the database runs but has not answered for too long';
  if (!o.peers.some((peer) => peer.alive && peer.state.eligible && peer.state.impairment === undefined)) return undefined;
  if (impairment === 'stalled' && impairedMs > o.policy.unresponsiveMs && canHandOver(o, record, 'may lose'))
    return 'the database runs but its disk has not finished writing for too long';
  // It still answers readers, and can be told to write less: not worth the loss of what was acknowledged.
  if (impairment === 'full' && impairedMs > FULL_MS && canHandOver(o, record, 'lossless')) return 'the disk of the database is full';
  return undefined;
}

/** Whether the record names the data that this leader serves: their identity, and the timeline by which others are measured. */
function describesData(o: Observation, record: LeadershipRecord): boolean {
  const { position } = o.engine;
  return record.systemId !== null && (!o.self.replicated || position === undefined || position.timeline === record.timeline);
}

function engineReady(o: Observation): boolean {
  return o.engine.accepting && o.engine.acknowledge !== undefined;
}

function wantedRoster(o: Observation, record: LeadershipRecord): Acknowledgement {
  const current = record.roster.at(-1)!;
  const leaderLsn = o.engine.position?.lsn ?? 0n;
  const views: VoterView[] = [];
  for (const replica of o.engine.replicas) {
    const near = leaderLsn - replica.flushLsn <= BigInt(o.policy.voterLagBytesMax);
    views.push({ node: replica.node, streaming: replica.state === 'streaming' && near, lost: false });
  }
  for (const voter of current.voters) {
    if (views.some((view) => view.node === voter)) continue;
    const since = o.notStreamingSinceMs.get(voter) ?? o.nowMs;
    views.push({ node: voter, streaming: false, lost: o.nowMs - since >= o.policy.voterLossMs });
  }
  return wantedAcknowledgement(current, views, o.policy);
}

/**
 * Whether those alive could fence this leader and at least one of them could lead. Where commits wait for nobody only this member is sure to
 * have them all: handing over then may lose some.
 */
function canHandOver(o: Observation, record: LeadershipRecord, loss: 'lossless' | 'may lose'): boolean {
  if (o.paused) return false;
  const able = o.peers.filter((peer) => peer.alive);
  if (!able.some((peer) => peer.state.eligible)) return false;
  if (isLeaseFenced(record.roster) && o.self.replicated && loss === 'lossless') return false;
  const names = new Set(able.map((peer) => peer.node));
  return record.roster.every(
    (configuration) =>
      configuration.k === 0 || configuration.voters.filter((voter) => names.has(voter)).length >= grantsNeeded(configuration),
  );
}

// ---------------------------------------------------------------- somebody else leads

function decideAsFollower(o: Observation, record: LeadershipRecord): Decision {
  const { engine } = o;
  if (engine.running && engine.role === 'primary') {
    return { act: 'stop', say: 'demoting', why: `${record.leader} leads at term ${record.term}` };
  }
  const election = decideElection(o, record);
  if (election !== undefined) return election;
  if (record.systemId === null) {
    return nothing('waiting', `${record.leader} makes the first data`);
  }
  if (!o.self.replicated) return nothing('standby', `${record.leader} runs it`);
  if (engine.systemId !== undefined && engine.systemId !== record.systemId) {
    return nothing(
      'foreign',
      `the data directory belongs to another cluster (system identifier ${engine.systemId}, this service has ${record.systemId}). Move it away, or use reinit to set it aside and copy anew`,
    );
  }
  if (o.paused && !engine.running) return nothing('paused', 'the service is paused: its database is left as it is');
  if (o.promised > record.term) {
    return nothing('fenced', `term ${o.promised} was promised: waiting for a leader of at least that term`);
  }
  const leader = o.peers.find((peer) => peer.node === record.leader);
  const serving = leader !== undefined && leader.alive && leader.state.serving === record.term;
  // One that is a primary already renews its leadership: until it says that it serves the new term, it is the primary of an older one.
  const promotes =
    leader?.alive === true && leader.state.term === record.term && leader.state.released < record.term && leader.state.role !== 'primary';
  return serving || (promotes && hasNoMoreThan(o, leader, record.term))
    ? decideFollowing(o, record)
    : nothing(engine.running ? 'running' : 'waiting', `waiting until ${record.leader} serves at term ${record.term}`);
}

/**
 * May this replica turn to a leader that is still being promoted? Whoever promised that very term has no more than its leader; and so has, after
 * a planned hand-over, who receives nothing any more and has come no further than the leader said that it had when it claimed.
 */
function hasNoMoreThan(o: Observation, leader: PeerView, term: number): boolean {
  const { engine } = o;
  if (!engine.running || engine.role !== 'replica') return false;
  if (o.promised === term) return true;
  if (engine.upstream?.streaming === true || engine.position === undefined || leader.state.position === undefined) return false;
  return comparePositions(engine.position, fromWire(leader.state.position)) <= 0;
}

function decideFollowing(o: Observation, record: LeadershipRecord): Decision {
  const { engine } = o;
  const leader = record.leader;
  if (engine.data === 'absent')
    return { act: 'provision', leader, setAside: false, say: 'cloning', why: `has no data: all is copied, to follow ${leader}` };
  if (o.remedy === 'provision') {
    return {
      act: 'provision',
      leader,
      setAside: true,
      say: 'cloning',
      why: `these data can not follow ${leader}: they are set aside and copied anew`,
    };
  }
  if (o.remedy === 'rejoin') return { act: 'rejoin', leader, say: 'rejoining', why: `brings its data back onto the history of ${leader}` };
  if (engine.running && engine.upstream?.node === leader && engine.upstream.streaming) return nothing('streaming', `follows ${leader}`);
  if (engine.running && engine.upstream?.node === leader && o.nowMs - o.followedMs < FOLLOW_AGAIN_MS)
    return nothing('following', `waits for WAL from ${leader}`);
  return { act: 'follow', leader, say: 'following', why: `is to follow ${leader}` };
}

// ---------------------------------------------------------------- elections

function decideElection(o: Observation, record: LeadershipRecord): Decision | undefined {
  if (o.leaderVerdict?.suspects !== true || o.paused || o.abstains || !o.storeReachable) return undefined;
  const released = o.leaderVerdict.why === 'released';
  const why = `${record.leader} is suspected: ${o.leaderVerdict.why}`;
  if (isLeaseFenced(record.roster) && !released && o.leaseEnded !== true) {
    return nothing(o.engine.running ? 'running' : 'waiting', `${why}; its lease has not ended yet`);
  }
  if (!o.self.eligible || record.systemId === null) return undefined;
  if (o.nowMs < o.holdStillUntilMs) return nothing('voting', `${why}; leaves the next attempt to others`);
  const waitMs = rankOf(o) * (o.policy.heartbeatMs + RANK_DELAY_MS);
  if (o.nowMs - (o.electableSinceMs ?? o.nowMs) < waitMs) return nothing('voting', `${why}; a better candidate comes first`);
  return { act: 'elect', say: 'electing', why };
}

/**
 * 0 for the first of those alive that could lead. By preference and name only: what was last heard of the others' positions is older than
 * one's own, so by positions everybody would come first. Who asks for the promises need not be who has most: that one is appointed.
 */
function rankOf(o: Observation): number {
  const before = (peer: PeerView): boolean =>
    peer.state.priority === o.self.priority ? peer.node < o.self.node : peer.state.priority > o.self.priority;
  return o.peers.filter((peer) => peer.alive && peer.state.eligible && peer.node !== o.leadership?.value.leader && before(peer)).length;
}
