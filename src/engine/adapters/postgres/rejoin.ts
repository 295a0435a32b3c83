import { HoldfastError } from '../../../core/errors.ts';
import type { MemberAddress } from '../../engine.ts';
import type { Member } from './member.ts';

export async function rejoin(_member: Member, _upstream: MemberAddress, _signal: AbortSignal): Promise<void> {
  throw new HoldfastError('ENGINE_REJOIN_FAILED', 'rejoin is not available', { hint: 'Move the data aside and let this member be made anew.' });
}
