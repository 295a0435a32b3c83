import { comparePositions, type Acknowledgement, type Position } from '../engine/engine.ts';
import type { Roster } from './records.ts';

/** One member's promise to follow no term lower than the one asked for, given after it stopped receiving. */
export interface Grant {
  readonly node: string;
  /** How far its flushed data reaches; undefined when it can not be known (a crashed leader's tail). */
  readonly position: Position | undefined;
  /** May be promoted: holds data, not `nofailover`, in working order. */
  readonly eligible: boolean;
  /** Its disk does not let it write: promoted only when nobody else can be. */
  readonly impaired?: boolean | undefined;
  /** The operator's preference; higher is preferred. */
  readonly priority: number;
}

/**
 * How many of a configuration's voters must have promised so that fewer than k are left to acknowledge anything: |voters| − k + 1.
 * Every set that large also contains at least one of any k voters, so the most advanced of them has every acknowledged commit.
 */
export function grantsNeeded(configuration: Acknowledgement): number {
  return configuration.voters.length - configuration.k + 1;
}

/** A configuration in which commits wait for nobody: only the leader's lease can fence it. */
export function isLeaseFenced(roster: Roster): boolean {
  return roster.some((configuration) => configuration.k === 0);
}

export type FenceState =
  | { readonly fenced: true }
  /** `lease`: commits may be acknowledged by the old leader alone until its session ends. */
  | { readonly fenced: false; readonly missing: 'lease' | 'voters'; readonly detail: string };

/**
 * Whether the old leader can acknowledge nothing more. Its own grant (it has stopped itself) is enough for every configuration; otherwise
 * each must lack its quorum, and where one waits for nobody the old leader's lease must have ended.
 */
export function fenceState(roster: Roster, oldLeader: string, grants: readonly Grant[], leaseEnded: boolean): FenceState {
  const granted = new Set(grants.map((grant) => grant.node));
  if (granted.has(oldLeader)) return { fenced: true };
  if (isLeaseFenced(roster) && !leaseEnded) {
    return { fenced: false, missing: 'lease', detail: `the lease of ${oldLeader} has not ended` };
  }
  for (const configuration of roster) {
    if (configuration.k === 0) continue;
    const have = configuration.voters.filter((voter) => granted.has(voter)).length;
    const need = grantsNeeded(configuration);
    if (have < need) {
      const absent = configuration.voters.filter((voter) => !granted.has(voter));
      return {
        fenced: false,
        missing: 'voters',
        detail: `${have} of ${configuration.voters.join(', ')} promise, ${need} must (missing: ${absent.join(', ')})`,
      };
    }
  }
  return { fenced: true };
}

/**
 * Whether the grants are sure to show every acknowledged commit. Fencing by the old leader's own word stops it, but only its known final
 * position, or enough voters whose positions are known, tell how far it had got. A voter that lost its data promises, and shows nothing.
 */
export function coversAcknowledged(roster: Roster, oldLeader: string, grants: readonly Grant[], leaseEnded: boolean): boolean {
  const known = grants.filter((grant) => grant.position !== undefined);
  if (known.some((grant) => grant.node === oldLeader)) return true;
  const quorums = roster.filter((configuration) => configuration.k > 0);
  return fenceState(quorums, oldLeader, known, leaseEnded).fenced;
}

export type Choice =
  | { readonly promote: string }
  /** Nobody eligible has everything, but `promote` can fetch it from `from` first. */
  | { readonly promote: string; readonly catchUpFrom: string }
  | { readonly promote: undefined; readonly detail: string };

/**
 * Who becomes leader: the eligible member with the most; ties go to the operator's preference, then to the name. One whose disk does not let it
 * write only when there is no other: another fetches what it lacks.
 */
export function choose(grants: readonly Grant[], wish?: string): Choice {
  const known = grants.filter((grant) => grant.position !== undefined);
  const willing = known.filter((grant) => grant.eligible);
  const sound = willing.filter((grant) => grant.impaired !== true);
  const eligible = sound.length > 0 ? sound : willing;
  if (eligible.length === 0) return { promote: undefined, detail: 'no member that promised may be promoted' };
  const most = known.reduce((best, grant) => (comparePositions(grant.position!, best.position!) > 0 ? grant : best));
  const complete = eligible.filter((grant) => comparePositions(grant.position!, most.position!) >= 0);
  const ranked = (complete.length > 0 ? complete : eligible).toSorted(byPreference);
  const wished = willing.find((grant) => grant.node === wish);
  const chosen = wished ?? ranked[0]!;
  if (comparePositions(chosen.position!, most.position!) >= 0) return { promote: chosen.node };
  return { promote: chosen.node, catchUpFrom: most.node };
}

/** Most advanced first, then priority (higher first), then name. */
export function byPreference(a: Grant, b: Grant): number {
  return comparePositions(b.position!, a.position!) || b.priority - a.priority || (a.node < b.node ? -1 : 1);
}

/** Same k and the same voters, in any order. */
export function sameAcknowledgement(a: Acknowledgement | null | undefined, b: Acknowledgement | null | undefined): boolean {
  const left = normal(a);
  const right = normal(b);
  return left.k === right.k && left.voters.length === right.voters.length && left.voters.every((voter) => right.voters.includes(voter));
}

function normal(value: Acknowledgement | null | undefined): Acknowledgement {
  return value === null || value === undefined || value.k === 0 ? { k: 0, voters: [] } : value;
}

/** A replica as a candidate for voting, in the leader's eyes. */
export interface VoterView {
  readonly node: string;
  /** Streams from this leader, near enough to its end. */
  readonly streaming: boolean;
  /** Gone for longer than a passing disturbance. */
  readonly lost: boolean;
}

/**
 * The configuration a leader should have: all replicas that stream, and those voters that may only be disturbed. Never fewer than
 * `minimum` voters once there were as many: then commits block rather than lie.
 */
export function wantedAcknowledgement(
  current: Acknowledgement,
  replicas: readonly VoterView[],
  policy: { acknowledge: number; minimum: number },
): Acknowledgement {
  if (policy.acknowledge === 0) return { k: 0, voters: [] };
  const views = new Map(replicas.map((replica) => [replica.node, replica]));
  const kept = current.voters.filter((voter) => views.get(voter)?.lost === false);
  const added = replicas.filter((replica) => replica.streaming && !current.voters.includes(replica.node)).map((replica) => replica.node);
  let voters = [...kept, ...added];
  const floor = Math.min(policy.minimum, current.voters.length);
  if (voters.length < floor) {
    const last = current.voters.filter((voter) => !voters.includes(voter)).slice(0, floor - voters.length);
    voters = [...voters, ...last];
  }
  voters = voters.toSorted();
  return voters.length === 0 ? { k: 0, voters: [] } : { k: Math.min(policy.acknowledge, voters.length), voters };
}

/** The next step of a roster towards `wanted`, given what the database was last confirmed to run. */
export type RosterStep =
  | { readonly step: 'none' }
  /** Store the new one beside those that may still count. */
  | { readonly step: 'join'; readonly roster: Roster }
  /** Make the database run this one. */
  | { readonly step: 'apply'; readonly acknowledge: Acknowledgement }
  /** Wait until k voters of the newest have flushed everything acknowledged before it took effect. */
  | { readonly step: 'wait' }
  /** Store the newest alone. */
  | { readonly step: 'settle'; readonly roster: Roster };

/** What the database of a leader is known to run; `unknown`: this agent has not seen it take effect. */
export type InForce = Acknowledgement | null | 'unknown';

/** A change of mind in the middle of a change adds one more; beyond this many it has to wait for the one under way. */
const ROSTER_LENGTH_MAX = 4;

/**
 * Joint change of the acknowledging quorum (as Raft changes membership): both in the store, then the database, then the new one alone.
 * The old one may be forgotten only when every set that could fence the new one shows what the old one had acknowledged: when k voters of
 * the new have flushed up to where the change took effect. The last of the roster is always where it is heading.
 */
export function rosterStep(
  roster: Roster,
  inForce: InForce,
  wanted: Acknowledgement,
  caughtUp: (configuration: Acknowledgement) => boolean,
): RosterStep {
  const target = roster.at(-1)!;
  if (!sameAcknowledgement(target, wanted)) {
    const others = roster.filter((configuration) => !sameAcknowledgement(configuration, wanted));
    if (others.length < ROSTER_LENGTH_MAX) return { step: 'join', roster: [...others, wanted] };
  }
  if (inForce === 'unknown' || !sameAcknowledgement(target, inForce)) return { step: 'apply', acknowledge: target };
  if (roster.length === 1) return { step: 'none' };
  return caughtUp(target) ? { step: 'settle', roster: [target] } : { step: 'wait' };
}
