import type { FenceRequest } from './messages.ts';

export interface GrantInput {
  readonly promised: number;
  /** The leadership as this member knows it; undefined: it knows none. */
  readonly leadership: { readonly leader: string; readonly term: number } | undefined;
  readonly self: string;
  /** This member takes writes now, at this term; 0: it does not. */
  readonly servingTerm: number;
  /** It gave up the leadership of this term. */
  readonly releasedTerm: number;
  readonly suspectsLeader: boolean;
  readonly paused: boolean;
  /** It promised a leader without store to hold still. */
  readonly confirmedUntilMs: number;
  readonly nowMs: number;
}

/** Whether to promise what a candidate asks. Undefined: yes; else why not. Pure. */
export function refuseGrant(request: FenceRequest, input: GrantInput): string | undefined {
  if (request.mode === 'promise' && request.term <= input.promised) return `term ${input.promised} is already promised`;
  if (input.leadership !== undefined && request.leaderTerm < input.leadership.term) {
    return `${input.leadership.leader} leads at the later term ${input.leadership.term}`;
  }
  if (request.term <= (input.leadership?.term ?? 0)) return `term ${request.term} is not beyond the present one`;
  if (request.forced) return undefined;
  if (input.paused) return 'the service is paused';
  if (input.servingTerm > 0 && input.releasedTerm < input.servingTerm)
    return `this member leads, in good health, at term ${input.servingTerm}`;
  if (input.leadership?.leader === input.self) return undefined;
  if (input.nowMs < input.confirmedUntilMs) return 'the leader, cut off from the store, was promised to be left alone for a moment';
  if (!input.suspectsLeader) return `does not suspect ${request.leader}`;
  return undefined;
}
