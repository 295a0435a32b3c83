import { existsSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineRuntime } from '../../../core/runtime.ts';
import type { Acknowledgement, EngineContext } from '../../engine.ts';
import type { Binaries } from './binaries.ts';
import type { PostgresConfig } from './config.ts';
import { passwordFile, writeConfiguration, dropOverrides, type ConfigurationInput, type Role } from './configuration.ts';
import { replicationRole, type CredentialVault } from './credentials.ts';
import { requirePresent } from './data-directory.ts';
import type { ControlFile } from './control-file.ts';
import { writeDurably, writeWhole } from './durable-file.ts';
import { keepRunDirectory, type Places } from './places.ts';
import { dropReservations } from './reservations.ts';
import { renderRule } from './rule.ts';
import type { Server } from './server.ts';
import type { Sessions } from './sessions.ts';

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
  /** Whether rules that are made from now on ask for the journal. */
  journalCounts: boolean;
}

/** What synchronous_standby_names is to be. */
export function ruleOf(member: Member, acknowledge: Acknowledgement | null): string {
  return renderRule(acknowledge, member.journalCounts ? 'waits for the journal' : 'no journal');
}

export async function requireData(member: Member): Promise<ControlFile> {
  return await requirePresent(member.places, member.context, member.binaries.version);
}

export function configurationInput(member: Member): ConfigurationInput {
  return { config: member.config, context: member.context, places: member.places, version: member.binaries.version };
}

/**
 * Writes what the server is to be, and, if it runs, tells it. For data that are known to be ours to touch.
 * @param minimums what a replica must not have less of than its primary
 */
export async function assumeRole(member: Member, role: Role, minimums: Readonly<Record<string, number>> = {}): Promise<void> {
  const { data } = member.places;
  await writePasswordFile(member, role);
  await writeConfiguration(configurationInput(member), data, role, minimums);
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
  await dropReservations(directory);
}
