import type { Runtime } from '../../../core/runtime.ts';
import type { EtcdClient } from './client.ts';
import { Deadline } from './deadline.ts';
import { CallFailure } from './failure.ts';
import { decodeWatch, encodeWatch, streamPath, type WatchChange, type WatchReply, type WatchRequest } from './messages.ts';

/** Most changes that one answer may bring in fragments. */
const FRAGMENTED_CHANGES_MAX = 100_000;
/** Pauses between tries while the store is away, doubling, each less up to a half by chance. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1_000;

/** What a watch tells: changes in order, none left out; or that the past it would need is gone. */
export type WatchNews = { readonly type: 'changes'; readonly changes: readonly WatchChange[] } | { readonly type: 'compacted' };

/**
 * Follows a range of keys from a revision on, over any number of connections: after each loss it goes on with the revision after the last one
 * seen. Ends after `compacted`, or by the signal.
 * @throws CallFailure that is a denial, or the signal's reason
 */
export async function* follow(client: EtcdClient, runtime: Runtime, request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchNews> {
  let fromRevision = request.fromRevision;
  let deniedBefore = false;
  for (let pauseMs = RETRY_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    try {
      for await (const reply of watchOnce(client, { ...request, fromRevision }, signal)) {
        pauseMs = RETRY_MS_MIN;
        deniedBefore = false;
        if (reply.compactRevision > 0n) return yield { type: 'compacted' };
        if (reply.changes.length > 0) yield { type: 'changes', changes: reply.changes };
        fromRevision = revisionAfter(reply, fromRevision);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CallFailure)) throw error;
      // Old versions call an expired token "permission denied": only what a new one does not cure is a denial.
      if (error.isDenial && deniedBefore) throw error;
      deniedBefore = error.isDenial;
      runtime.logger.debug('coordination.watch.interrupted', { key: request.key, error: error.message });
    }
    await runtime.clock.sleep(pauseMs * (1 - runtime.random.next() / 2), signal);
  }
}

/** From where to go on after this answer. A progress notification says that all up to its revision has been told. */
function revisionAfter(reply: WatchReply, fromRevision: bigint): bigint {
  const last = reply.changes.at(-1)?.entry.modRevision;
  if (last !== undefined) return last + 1n;
  const progress = !reply.created && reply.header.revision >= fromRevision;
  return progress ? reply.header.revision + 1n : fromRevision;
}

/** One watch on one connection, fragments put together. @throws CallFailure when it ends, or the signal's reason */
async function* watchOnce(client: EtcdClient, request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchReply> {
  using limit = new Deadline(client.clock, client.requestTimeoutMs, 'no watch', [signal]);
  const connection = await client.connect(limit.signal);
  const headers = await client.headers(connection, limit.signal);
  using call = connection.start(streamPath.watch, headers);
  const abort = (): void => call.fail(signal.aborted ? signal.reason : connection.retired.reason);
  const ends = [signal, connection.retired];
  for (const end of ends) end.addEventListener('abort', abort, { once: true });
  if (ends.some((end) => end.aborted)) abort();
  try {
    call.send(encodeWatch(request));
    yield accept(client, await connection.prompt(call, limit.signal, () => call.next()));
    limit[Symbol.dispose]();
    for (;;) yield await readWhole(client, () => call.next());
  } catch (error) {
    if (error instanceof CallFailure && (error.tokenRejected || error.isDenial)) await client.refused(headers);
    // One that is being left finishes what else it has begun.
    if (!connection.retired.aborted) client.blame(connection, error);
    throw error;
  } finally {
    for (const end of ends) end.removeEventListener('abort', abort);
  }
}

async function readWhole(client: EtcdClient, next: () => Promise<Buffer | undefined>): Promise<WatchReply> {
  const first = accept(client, await next());
  if (!first.fragment) return first;
  const changes = [...first.changes];
  for (let last = first; last.fragment;) {
    last = accept(client, await next());
    changes.push(...last.changes);
    if (changes.length > FRAGMENTED_CHANGES_MAX)
      throw new CallFailure('nonsense', `more than ${FRAGMENTED_CHANGES_MAX} changes in one answer`);
  }
  return { ...first, changes };
}

function accept(client: EtcdClient, message: Buffer | undefined): WatchReply {
  if (message === undefined) throw new CallFailure('lost', 'the server ended the watch');
  const reply = decodeWatch(message);
  client.observe(reply.header);
  if (reply.canceled && reply.compactRevision === 0n)
    throw new CallFailure('status', reply.cancelReason || 'the server cancelled the watch without a reason');
  return reply;
}
