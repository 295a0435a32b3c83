import type { MemberState } from '../messages.ts';

/** What a replica says of itself that follows node `a` in its first term, and nothing ails. */
export function memberState(more: Partial<MemberState> = {}): MemberState {
  return {
    service: 'orders',
    address: { host: '10.0.0.1', port: 5432 },
    replicated: true,
    term: 1,
    leader: 'a',
    promised: 0,
    serving: 0,
    released: 0,
    suspects: 0,
    role: 'replica',
    state: 'streaming',
    running: true,
    accepting: true,
    hasData: true,
    eligible: true,
    nofailover: false,
    priority: 100,
    paused: false,
    pendingRestart: false,
    pids: { agent: 1 },
    ...more,
  };
}
