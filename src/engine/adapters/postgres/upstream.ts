import { HoldfastError } from '../../../core/errors.ts';
import type { MemberAddress } from '../../engine.ts';
import { replicationRole } from './credentials.ts';
import type { Member } from './member.ts';
import { askForTls } from './reachable.ts';
import { ReplicationConnection } from './replication-connection.ts';
import { describe, hasState, isServerError, Session, type SessionTarget } from './session.ts';
import { connectTimeoutMs } from './sessions.ts';

/**
 * @param options.applicationName by which the server knows this connection, instead of one that tells the purpose
 * @throws ENGINE_UPSTREAM_UNREACHABLE, ENGINE_UPSTREAM_REFUSED
 */
export async function connectUpstream(
  member: Member,
  upstream: MemberAddress,
  purpose: string,
  options: { signal: AbortSignal; applicationName?: string },
): Promise<ReplicationConnection> {
  const target = await upstreamTarget(member, upstream, purpose);
  const { applicationName = target.applicationName } = options;
  return await ReplicationConnection.open({ ...target, applicationName }, member.runtime.clock, {
    timeoutMs: connectTimeoutMs,
    signal: options.signal,
  }).catch((error: unknown) => {
    throw options.signal.aborted ? error : upstreamFailure(upstream, error);
  });
}

/** For SQL on another member: reading its files. */
export async function openUpstreamSession(
  member: Member,
  upstream: MemberAddress,
  purpose: string,
  options: { signal: AbortSignal },
): Promise<Session> {
  const target = { ...(await upstreamTarget(member, upstream, purpose)), database: 'postgres' };
  return await Session.open(target, member.runtime.clock, { timeoutMs: connectTimeoutMs, signal: options.signal }).catch(
    (error: unknown) => {
      throw options.signal.aborted ? error : upstreamFailure(upstream, error);
    },
  );
}

async function upstreamTarget(member: Member, upstream: MemberAddress, purpose: string): Promise<Omit<SessionTarget, 'replication'>> {
  const { replication } = await member.vault.require();
  // As libpq does by default: encrypted where the server can, which keeps listeners out. That it is the right one, SCRAM proves.
  const tls = (await askForTls(upstream, member.runtime.clock, connectTimeoutMs)) === 'tls';
  // With a space in it the name can not be a voter's.
  return {
    host: upstream.host,
    port: upstream.port,
    user: replicationRole,
    password: replication,
    database: 'replication',
    applicationName: `holdfast ${purpose} ${member.context.node}`,
    tls,
  };
}

function upstreamFailure(upstream: MemberAddress, error: unknown): HoldfastError {
  const isStarting = hasState(error, '57P03');
  if (!isServerError(error) || isStarting) return unreachable(upstream, describe(error), error);
  return new HoldfastError('ENGINE_UPSTREAM_REFUSED', `${nameOf(upstream)} refuses a replication connection: ${describe(error)}`, {
    hint: 'Check that it is a member of the same service, and that neither `hba` nor max_wal_senders there keep members out.',
    retryable: true,
    cause: error,
  });
}

function unreachable(upstream: MemberAddress, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('ENGINE_UPSTREAM_UNREACHABLE', `${nameOf(upstream)} can not be reached: ${why}`, {
    retryable: true,
    hint: 'Check that it runs, and the network between.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function nameOf({ node, host, port }: MemberAddress): string {
  return `member ${node} (${host}:${port})`;
}
