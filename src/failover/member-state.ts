import type { Member } from './member.ts';
import { toWire, type MemberState } from './messages.ts';

/** What an agent broadcasts of one of its members. */
export function memberState(member: Member): MemberState {
  const { engine, store } = member.deps;
  const { options } = member;
  const e = member.engineState;
  const record = store.leadership?.value;
  const serves = member.servingTerm > 0 && e.running && e.role === 'primary' && e.accepting;
  const detail = member.fault || (e.failure ? `${e.failure.message} ${e.failure.hint}` : '') || member.decision.why;
  return {
    service: member.service,
    address: { host: engine.address.host, port: engine.address.port },
    replicated: engine.capabilities.replicated,
    term: record?.term ?? 0,
    leader: record?.leader ?? '',
    promised: member.promised,
    serving: serves ? member.servingTerm : 0,
    released: member.releasedTerm,
    suspects: member.suspects && record !== undefined ? record.term : 0,
    role: e.role,
    state: member.occupiedBy ?? member.decision.say,
    ...(detail ? { detail } : {}),
    running: e.running,
    accepting: e.accepting,
    ...(e.position ? { position: toWire(e.position) } : {}),
    ...(e.replayLsn === undefined ? {} : { replayLsn: e.replayLsn.toString() }),
    ...(e.upstream?.streaming ? { streamingFrom: e.upstream.node } : {}),
    hasData: e.data === 'present',
    ...(e.impairment === undefined ? {} : { impairment: e.impairment }),
    ...(e.damagedPages === undefined ? {} : { damagedPages: e.damagedPages }),
    ...(e.systemId === undefined ? {} : { systemId: e.systemId }),
    eligible: member.eligible(),
    nofailover: options.nofailover,
    priority: options.priority,
    paused: store.paused,
    pendingRestart: e.pendingRestart,
    ...(e.version === undefined ? {} : { version: e.version }),
    ...(serves ? { sync: Object.fromEntries(e.replicas.map((replica) => [replica.node, replica.sync])) } : {}),
    pids: {
      agent: options.agentPid,
      ...(member.guardPid === undefined ? {} : { guard: member.guardPid }),
      ...(e.pid === undefined ? {} : { database: e.pid }),
    },
  };
}

/** Whether a member could lead if it was asked now. */
export function isEligible({ options, deps, engineState, failedStarts }: Member): boolean {
  if (options.nofailover || failedStarts > 2) return false;
  if (!deps.engine.capabilities.replicated) return true;
  const { role, stoppedAs, systemId } = engineState;
  return (role === 'replica' || stoppedAs === 'replica') && systemId !== undefined && systemId === deps.store.leadership?.value.systemId;
}
