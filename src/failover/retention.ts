import { messageOf } from '../core/errors.ts';
import type { Member } from './member.ts';

const RETAIN_EVERY_MS = 5_000;

/** Has the database keep, now and then, the WAL that the other members still need. */
export class Retention {
  readonly #member: Member;
  #lastMs = -Infinity;

  constructor(member: Member) {
    this.#member = member;
  }

  renew(): void {
    const member = this.#member;
    const { engine, runtime, store } = member.deps;
    if (member.now() - this.#lastMs <= RETAIN_EVERY_MS) return;
    if (!member.engineState.accepting || !engine.capabilities.replicated) return;
    this.#lastMs = member.now();
    const heard = member.peerViews().map((peer) => ({
      node: peer.node,
      ...(peer.state.position === undefined ? {} : { lsn: BigInt(peer.state.position.lsn) }),
    }));
    // A voter that was not heard of yet (this agent has just started) still needs its WAL.
    const voters = store.leadership?.value.roster.flatMap((configuration) => [...configuration.voters]) ?? [];
    const unheard = [...new Set(voters)].filter((voter) => voter !== member.node && !heard.some((peer) => peer.node === voter));
    const members = [...heard, ...unheard.map((node) => ({ node }))];
    void engine.retain(members, { ...this.#journal(), signal: member.signal }).catch((error: unknown) => {
      if (!member.signal.aborted) runtime.logger.warn('engine.retain.failed', { error: messageOf(error) });
    });
  }

  /** As far as its leader says: whoever leads next goes on from there. */
  #journal(): { journal?: bigint } {
    const { deps, service } = this.#member;
    const leader = deps.store.leadership?.value.leader ?? '';
    const copies = deps.peers.report(leader)?.heartbeat.copies.find((state) => state.service === service);
    return copies?.journalled === undefined ? {} : { journal: BigInt(copies.journalled.lsn) };
  }
}
