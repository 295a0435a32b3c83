import { messageOf } from '../core/errors.ts';
import type { Member } from './member.ts';

/** Beyond what a router says that it needs: for the message there and back. */
const ANSWER_MS = 1_000;

/** What a member tells its own node's routers at a planned hand-over. */
export interface LocalRouters {
  /** New connections are held until a term higher than this serves. @returns once no transaction is under way */
  hold(term: number): Promise<void>;
  /** The hand-over is given up. */
  resume(term: number): void;
}

/**
 * Has all routers hold new clients, and waits for those that let transactions end first, as long as they say that this takes at most. A
 * router that is not reached is not waited for: its clients are cut as in a failover.
 * @throws the signal's reason
 */
export async function holdRouters(member: Member, term: number, signal: AbortSignal): Promise<void> {
  const { network } = member.deps.peers;
  const body = { service: member.service, term };
  const own = member.deps.routers.hold(term);
  network.broadcast('hold', body);
  const drains = member.deps.peers.reports().flatMap(({ node, status, phi, heartbeat }) => {
    const router = heartbeat.routers.find((one) => one.service === member.service);
    const isThere = status === 'connected' && phi < member.options.policy.phi;
    return isThere && router !== undefined && router.drainMs > 0 ? [{ node, timeoutMs: router.drainMs + ANSWER_MS }] : [];
  });
  await Promise.all([
    own,
    ...drains.map(async ({ node, timeoutMs }) => {
      try {
        await network.request(node, 'hold', body, { timeoutMs, signal });
      } catch (error) {
        signal.throwIfAborted();
        member.deps.runtime.logger.warn('failover.router.not-quiet', { node, term, error: messageOf(error) });
      }
    }),
  ]);
  signal.throwIfAborted();
}

/** Nothing comes of the hand-over of the leadership of `term`. */
export function resumeRouters(member: Member, term: number): void {
  member.deps.routers.resume(term);
  member.deps.peers.network.broadcast('resume', { service: member.service, term });
}
