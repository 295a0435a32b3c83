import { existsSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/clock.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import type { EngineContext, MemberAddress } from '../../engine.ts';
import type { Binaries } from './binaries.ts';
import type { PostgresConfig } from './config.ts';
import { passwordFile, writeConfiguration, dropOverrides, type ConfigurationInput, type Role } from './configuration.ts';
import { adminRole, replicationRole, type CredentialVault } from './credentials.ts';
import { requirePresent } from './data-directory.ts';
import type { ControlFile } from './control-file.ts';
import { writeDurably, writeWhole } from './durable-file.ts';
import { keepRunDirectory, type Places } from './places.ts';
import { ReplicationConnection } from './replication-connection.ts';
import type { Server } from './server.ts';
import { describe, hasState, isServerError, Session, type SessionTarget } from './session.ts';

/** All that the operations on one member share. */
export interface Member {
  readonly config: PostgresConfig;
  readonly context: EngineContext;
  readonly runtime: MachineRuntime;
  readonly binaries: Binaries;
  readonly places: Places;
  readonly vault: CredentialVault;
  readonly server: Server;
  readonly sessions: Sessions;
}

/** Bound of a query that only reads shared memory or changes a flag. */
export const queryTimeoutMs = 5_000;
const connectTimeoutMs = 5_000;

/** Our sessions must not be ended, slowed or logged by what the user set for everyone. */
const adminSettings = {
  synchronous_commit: 'local',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  default_transaction_read_only: 'off',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  search_path: 'pg_catalog',
};

/** Administrative connections over the local socket. */
export class Sessions implements AsyncDisposable {
  readonly #places: Places;
  readonly #vault: CredentialVault;
  readonly #port: number;
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #shared: Promise<Session> | undefined;

  constructor(options: { places: Places; vault: CredentialVault; port: number; clock: Clock; onEnd: () => void }) {
    this.#places = options.places;
    this.#vault = options.vault;
    this.#port = options.port;
    this.#clock = options.clock;
    this.#onEnd = options.onEnd;
  }

  /** The one that is kept open: its end also tells that the server died. For short queries only. */
  async shared(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Session> {
    const known = await this.#shared?.catch(() => undefined);
    if (known?.isOpen === true) return known;
    const opening = this.open(options);
    this.#shared = opening;
    const session = await opening;
    void session.ended.then(this.#onEnd);
    return session;
  }

  /** A connection of the caller's own. */
  async open(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Session> {
    const { admin } = await this.#vault.require();
    const limits = {
      timeoutMs: options.timeoutMs ?? connectTimeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const target: SessionTarget = {
      host: this.#places.run,
      port: this.#port,
      user: adminRole,
      password: admin,
      database: 'postgres',
      applicationName: 'holdfast',
      settings: adminSettings,
    };
    try {
      return await Session.open(target, this.#clock, limits);
    } catch (error) {
      // The user is free to drop it.
      if (hasState(error, '3D000')) return await Session.open({ ...target, database: 'template1' }, this.#clock, limits);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#shared?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

export async function requireData(member: Member): Promise<ControlFile> {
  return await requirePresent(member.places, member.context, member.binaries.version);
}

export function configurationInput(member: Member): ConfigurationInput {
  return { config: member.config, context: member.context, places: member.places, version: member.binaries.version };
}

/** Writes what the server is to be, and, if it runs, tells it. */
export async function assumeRole(member: Member, role: Role): Promise<void> {
  const { data } = member.places;
  const control = await requireData(member);
  await writePasswordFile(member, role);
  await writeConfiguration(configurationInput(member), data, role, role.kind === 'replica' ? control.standbyMinimums : {});
  const { main } = member.server;
  if (main === undefined) return;
  await dropOverrides(configurationInput(member), data);
  member.runtime.processes.kill(main, 'SIGHUP');
}

/**
 * Emptied first when nothing is to be followed any more: whatever the server still tries, it can not log in anywhere. Need not outlast a
 * crash of the machine, as no server does.
 */
export async function writePasswordFile(member: Member, role: Role): Promise<void> {
  const path = passwordFile(member.places);
  if (role.kind === 'primary' || role.upstream === undefined) {
    return await truncate(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  const { replication } = await member.vault.require();
  await keepRunDirectory(member.places, member.context.account);
  await writeWhole(path, `*:*:*:${replicationRole}:${replication}\n`, { account: member.context.account });
}

/** Marks the data as a replica's: it recovers and never becomes a primary by being started. */
export async function markReplica(member: Member, directory = member.places.data): Promise<void> {
  const path = join(directory, 'standby.signal');
  if (!existsSync(path)) await writeDurably(path, '', { account: member.context.account });
}

/** @throws ENGINE_UPSTREAM_UNREACHABLE, ENGINE_UPSTREAM_REFUSED */
export async function connectUpstream(
  member: Member,
  upstream: MemberAddress,
  purpose: string,
  options: { signal: AbortSignal },
): Promise<ReplicationConnection> {
  return await ReplicationConnection.open(await upstreamTarget(member, upstream, purpose), member.runtime.clock, {
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
  // With a space in it the name can not be a voter's.
  return {
    host: upstream.host,
    port: upstream.port,
    user: replicationRole,
    password: replication,
    database: 'replication',
    applicationName: `holdfast ${purpose} ${member.context.node}`,
  };
}

function upstreamFailure(upstream: MemberAddress, error: unknown): HoldfastError {
  const where = `member ${upstream.node} (${upstream.host}:${upstream.port})`;
  const startingUp = hasState(error, '57P03');
  if (isServerError(error) && !startingUp) {
    return new HoldfastError('ENGINE_UPSTREAM_REFUSED', `${where} refuses a replication connection: ${describe(error)}`, {
      hint: 'Check that it is a member of the same service, and that neither `hba` nor max_wal_senders there keep members out.',
      retryable: true,
      cause: error,
    });
  }
  return new HoldfastError('ENGINE_UPSTREAM_UNREACHABLE', `${where} can not be reached: ${describe(error)}`, {
    retryable: true,
    hint: 'Check that it runs, and the network between.',
    cause: error,
  });
}
