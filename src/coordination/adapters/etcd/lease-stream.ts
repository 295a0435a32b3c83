import type { Connection } from './connection.ts';
import type { CallHeaders, GrpcCall } from './call.ts';
import { CallFailure } from './failure.ts';
import { decodeLease, encodeKeepAlive, streamPath, type LeaseReply } from './messages.ts';

/** How many renewals wait on one stream at most: more means that the server swallows them. */
const WAITING_RENEWALS_MAX = 1_000;

/**
 * The one stream of a connection on which all its leases are renewed. etcd answers strictly in order (leaseServer.leaseKeepAlive), so that
 * each answer belongs to the oldest question: also when its asker has given up meanwhile, lest a late answer count for a later question.
 */
export class LeaseStream implements Disposable {
  readonly #connection: Connection;
  readonly #call: GrpcCall;
  readonly #waiting: { readonly leaseId: bigint; readonly reply: PromiseWithResolvers<LeaseReply> }[] = [];
  #ended = false;

  /** @throws CallFailure `unsent` */
  constructor(connection: Connection, headers: CallHeaders) {
    this.#connection = connection;
    this.#call = connection.start(streamPath.keepAlive, headers);
    this.#read().catch((error: unknown) => this.#fail(error));
  }

  get usable(): boolean {
    return !this.#ended && this.#connection.usable;
  }

  /** Asks for a renewal. The whole stream ends with the signal: unanswered renewals mean a sick server. @throws CallFailure, or the signal's reason */
  async renew(leaseId: bigint, signal: AbortSignal): Promise<LeaseReply> {
    signal.throwIfAborted();
    if (!this.usable) throw new CallFailure('unsent', 'the stream of renewals has ended');
    if (this.#waiting.length >= WAITING_RENEWALS_MAX)
      throw new CallFailure('unsent', `${WAITING_RENEWALS_MAX} renewals are unanswered already`);
    const reply = Promise.withResolvers<LeaseReply>();
    this.#waiting.push({ leaseId, reply });
    this.#call.send(encodeKeepAlive(leaseId));
    return await this.#connection.prompt(this.#call, signal, () => reply.promise);
  }

  [Symbol.dispose](): void {
    this.#call[Symbol.dispose]();
  }

  async #read(): Promise<never> {
    for (;;) {
      const message = await this.#call.next();
      if (message === undefined) throw new CallFailure('lost', 'the server ended the stream of renewals');
      const reply = decodeLease(message);
      const oldest = this.#waiting.shift();
      if (oldest?.leaseId !== reply.id) throw new CallFailure('nonsense', 'a renewal was answered that was not asked for');
      oldest.reply.resolve(reply);
    }
  }

  #fail(error: unknown): void {
    this.#ended = true;
    this.#call.fail(error);
    for (const { reply } of this.#waiting.splice(0)) reply.reject(error);
  }
}
