import { z } from 'zod';
import type { WalPosition } from '../../backup/index.ts';
import type { Clock } from '../../core/clock.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Member } from '../../failover/member.ts';
import { fromWire, positionSchema, toWire } from '../../failover/messages.ts';
import type { PeerView } from '../../failover/observation.ts';
import { makeBase } from './make-base.ts';
import { openCopies } from './open-copies.ts';
import type { CopiesTerm, KeeperParts } from './term.ts';

/*
 * Base backups are made of a replica's files, so that the leader's disk is left to its work. The leader orders one, and asks again and again
 * how far it is: an order that nobody asks after any more is given up. Whoever leads next finds the one that is being made, and waits for it.
 */

/** How often the leader asks; and how long an agent goes on without being asked, or the leader without an answer. */
const askMs = 2_000;
const silentMsMax = 30_000;
const answerMsMax = 5_000;
/** Replicas that are tried before the leader makes it itself. */
const candidatesMax = 2;

const requestSchema = z.object({
  /** Names the order, so that asking after it is not another one; left out: is one being made? */
  order: z.object({ id: z.string().max(200), stored: positionSchema }).optional(),
});
const replySchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('idle') }),
  z.object({ state: z.literal('making') }),
  z.object({ state: z.literal('made') }),
  z.object({ state: z.literal('failed'), error: z.string() }),
]);
export type Reply = z.infer<typeof replySchema>;
type Outcome = Exclude<Reply, { state: 'making' }>;

/** Of one service, as all links carry several. */
function kindOf(service: string): string {
  return `base.${service}`;
}

/** Makes a base backup of this node's replica, which begins after what is stored. */
type MakeHere = (stored: WalPosition, signal: AbortSignal) => Promise<unknown>;

/** The one of this node, with the repository opened for it. */
export function makerOf(parts: KeeperParts, member: Member): MakeHere {
  return async (stored, signal) => {
    const { config, runtime } = parts;
    await using copies = await openCopies(config, config.services[member.service]!.backup!.to, runtime, { signal });
    return await makeBase(parts, member, copies.repository, stored, signal);
  };
}

/** Why a base backup that is being made is given up; undefined: it is not. Pure. */
export function decideGivingUp({ silentMs, role }: { readonly silentMs: number; readonly role: string }): string | undefined {
  // PostgreSQL takes no base backup that began on a replica and ends on a primary.
  if (role === 'primary') return 'the replica that makes this base backup leads now';
  return silentMs > silentMsMax ? 'no leader asks for this base backup any more' : undefined;
}

/** Makes base backups of this node's replica as its leader orders: one at a time. */
export class BaseDesk implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #member: Member;
  readonly #makeHere: MakeHere;
  readonly #stop = new AbortController();
  #last: { readonly id: string; reply: Reply; readonly work: Promise<void> } | undefined;
  #askedMs = 0;

  constructor(clock: Clock, member: Member, makeHere: MakeHere) {
    this.#clock = clock;
    this.#member = member;
    this.#makeHere = makeHere;
    member.deps.peers.network.handle(kindOf(member.service), async (_from, body) => this.#answer(requestSchema.parse(body).order));
  }

  #answer(order: { readonly id: string; readonly stored: z.infer<typeof positionSchema> } | undefined): Reply {
    this.#askedMs = this.#clock.monotonicMs();
    const last = this.#last;
    if (last?.reply.state === 'making') return last.reply;
    if (order === undefined) return { state: 'idle' };
    if (last?.id === order.id) return last.reply;
    if (this.#stop.signal.aborted) throw new HoldfastError('BACKUP_INTERRUPTED', 'the agent ends', { retryable: true });
    const work = this.#make(fromWire(order.stored));
    const job = { id: order.id, reply: { state: 'making' } as Reply, work };
    this.#last = job;
    void work.then(
      () => (job.reply = { state: 'made' }),
      (error: unknown) => (job.reply = { state: 'failed', error: messageOf(error) }),
    );
    return job.reply;
  }

  async #make(stored: WalPosition): Promise<void> {
    const given = new AbortController();
    using _watch = this.#watch(given);
    await this.#makeHere(stored, AbortSignal.any([this.#stop.signal, given.signal]));
  }

  #watch(given: AbortController): Disposable {
    const look = (): void => {
      const silentMs = this.#clock.monotonicMs() - this.#askedMs;
      const why = decideGivingUp({ silentMs, role: this.#member.engineState.role });
      if (why === undefined) timer = this.#clock.after(askMs, look);
      else given.abort(new HoldfastError('BACKUP_INTERRUPTED', why, { retryable: true }));
    };
    let timer = this.#clock.after(askMs, look);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent ends'));
    await this.#last?.work.catch(() => {});
  }
}

/**
 * Has a replica make a base backup. @returns the node that has made it; undefined when none could
 * @param stored what the journal has from here on without a hole
 */
export async function orderBase(term: CopiesTerm, stored: WalPosition, signal: AbortSignal): Promise<string | undefined> {
  const { member, record, runtime } = term;
  const replicas = replicasOf(member.peerViews(), member.node);
  const asked = await Promise.all(replicas.map(async (node) => ({ node, reply: await ask(term, node, undefined, signal) })));
  for (const { node, isMaking } of decideMakers(asked)) {
    // The replica's copy begins there, so it is to be after what is stored.
    if (!isMaking) await member.deps.engine.checkpoint({ signal });
    const order = isMaking ? undefined : { id: `${member.node}/${runtime.clock.wallMs()}`, stored: toWire(stored) };
    const reply = await untilDone(term, node, order, signal);
    if (reply.state !== 'failed') return node;
    record('backup.base.failed', { node, error: reply.error });
  }
  return undefined;
}

/**
 * Who is to make it, one after the other: first whoever makes one already, ordered by the leader before this one, or by this agent before it was
 * interrupted. Pure.
 * @param asked in order of preference; without a reply those that did not answer
 */
export function decideMakers(
  asked: readonly { readonly node: string; readonly reply: Reply | undefined }[],
): { readonly node: string; readonly isMaking: boolean }[] {
  const able = asked.flatMap(({ node, reply }) => (reply === undefined ? [] : [{ node, isMaking: reply.state === 'making' }]));
  return able.toSorted((a, b) => Number(b.isMaking) - Number(a.isMaking)).slice(0, candidatesMax);
}

/** Those in good health: first who never leads, then who is the least wanted as a leader. */
export function replicasOf(peers: readonly PeerView[], leader: string): string[] {
  return peers
    .filter(
      ({ alive, state }) =>
        alive && state.role === 'replica' && state.accepting && state.streamingFrom === leader && state.impairment === undefined,
    )
    .toSorted(
      (a, b) =>
        Number(b.state.nofailover) - Number(a.state.nofailover) || a.state.priority - b.state.priority || (a.node < b.node ? 1 : -1),
    )
    .map(({ node }) => node);
}

type Order = NonNullable<z.infer<typeof requestSchema>['order']>;

/** @param order left out: another's is waited for, of which nothing is known but that it ends */
async function untilDone(term: CopiesTerm, node: string, order: Order | undefined, signal: AbortSignal): Promise<Outcome> {
  const { clock } = term.runtime;
  for (let heardMs = clock.monotonicMs(); ;) {
    const reply = await ask(term, node, order, signal);
    if (reply !== undefined && reply.state !== 'making') return reply;
    if (reply !== undefined) heardMs = clock.monotonicMs();
    if (clock.monotonicMs() - heardMs > silentMsMax) return { state: 'failed', error: `${node} does not answer any more` };
    await clock.sleep(askMs, signal);
  }
}

/** Undefined when there is no answer. */
async function ask(term: CopiesTerm, node: string, order: Order | undefined, signal: AbortSignal): Promise<Reply | undefined> {
  const { network } = term.member.deps.peers;
  const body = order === undefined ? {} : { order };
  const reply = await network
    .request(node, kindOf(term.member.service), body, { timeoutMs: answerMsMax, signal })
    .catch((error: unknown) => {
      if (signal.aborted) throw error;
      return undefined;
    });
  return reply === undefined ? undefined : replySchema.parse(reply);
}
