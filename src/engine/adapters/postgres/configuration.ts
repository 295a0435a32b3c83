import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import type { EngineContext, MemberAddress } from '../../engine.ts';
import type { PostgresVersion } from './binaries.ts';
import type { PostgresConfig } from './config.ts';
import { adminRole, replicationRole } from './credentials.ts';
import { writeDurably } from './durable-file.ts';
import { isReserved, renderSetting } from './parameters.ts';
import type { Places } from './places.ts';
import { nobodyRule } from './rule.ts';
import { slotName } from './slot-name.ts';
import { summaryVersionMin } from './wal-summaries.ts';

/** What failover changes while the server runs. A replica's commits, should it ever make one by mistake, wait for nobody that exists. */
export type Role =
  | { readonly kind: 'primary'; readonly rule: string }
  | { readonly kind: 'replica'; readonly upstream: MemberAddress | undefined };

export interface ConfigurationInput {
  readonly config: PostgresConfig;
  readonly context: EngineContext;
  readonly places: Places;
  readonly version: PostgresVersion;
}

const fileName = 'holdfast.conf';
const hbaName = 'holdfast_hba.conf';
const includeLine = `include '${fileName}'`;

/** Where a replica's server finds the password for its upstream; empty while it must not connect. */
export function passwordFile(places: Places): string {
  return join(places.run, 'upstream.pass');
}

/** Sensible for failover, but the user's to change. */
const defaults: Readonly<Record<string, string | number | boolean>> = {
  wal_level: 'replica',
  synchronous_commit: 'on',
  max_wal_senders: 16,
  max_replication_slots: 32,
  // By the last WAL before its end a member proves that it continues another's (upstream-check.ts).
  wal_keep_size: '64MB',
  hot_standby_feedback: true,
  max_standby_streaming_delay: '5s',
  wal_receiver_status_interval: '1s',
  wal_receiver_timeout: '5s',
  wal_sender_timeout: '5s',
  tcp_keepalives_idle: 5,
  tcp_keepalives_interval: 1,
  tcp_keepalives_count: 5,
  recovery_init_sync_method: 'syncfs',
  log_line_prefix: '%m [%p] %q%u@%d ',
  lc_messages: 'C',
};

/** Of settings that a hot standby must not have lower than its primary: PostgreSQL's defaults, or ours. */
const standbyDefaults: Readonly<Record<string, number>> = {
  max_connections: 100,
  max_worker_processes: 8,
  max_wal_senders: 16,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

/** Writes our own configuration files, durably and atomically; the running server sees it at its next reload. */
export async function writeConfiguration(
  input: ConfigurationInput,
  directory: string,
  role: Role,
  minimums: Readonly<Record<string, number>> = {},
): Promise<void> {
  const { account } = input.context;
  await writeDurably(join(directory, fileName), renderConfiguration(input, role, minimums), { account });
}

/** Everything around it that a start needs: access rules, the include line, and no override in postgresql.auto.conf. */
export async function prepareConfiguration(input: ConfigurationInput, directory: string): Promise<void> {
  const { account } = input.context;
  await writeDurably(join(directory, hbaName), renderAccess(input.config), { account });
  await rewrite(join(directory, 'postgresql.conf'), withInclude, account);
  await dropOverrides(input, directory);
}

/** ALTER SYSTEM would win over our file. Settings that failover depends on are taken out again. */
export async function dropOverrides(input: ConfigurationInput, directory: string): Promise<void> {
  await rewrite(join(directory, 'postgresql.auto.conf'), withoutReserved, input.context.account);
}

async function rewrite(path: string, change: (text: string) => string, account: EngineContext['account']): Promise<void> {
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const after = change(before);
  if (after !== before) await writeDurably(path, after, { account });
}

/** Ours must come last: of settings given twice the last one holds. */
function withInclude(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== includeLine);
  while (lines.at(-1)?.trim() === '') lines.pop();
  return `${lines.join('\n')}\n${includeLine}\n`;
}

function withoutReserved(text: string): string {
  return text
    .split('\n')
    .filter((line) => !isReserved(/^\s*([A-Za-z_][A-Za-z0-9_$.]*)/.exec(line)?.[1] ?? ''))
    .join('\n');
}

export function renderConfiguration(input: ConfigurationInput, role: Role, minimums: Readonly<Record<string, number>>): string {
  const { config, context, places, version } = input;
  const settings: Record<string, string | number | boolean> = {
    ...defaults,
    // By its account of what changed a base backup reads only that (wal-summaries.ts).
    ...(version.major >= summaryVersionMin && context.isCopied === true ? { summarize_wal: true } : {}),
    ...config.parameters,
    ...raised(config.parameters, minimums),
    // Replicas keep a copy of the logical slots that were made with `failover`, so that these survive it.
    ...(version.major >= 17 && config.parameters['wal_level'] === 'logical' ? { sync_replication_slots: true } : {}),
    listen_addresses: config.listen.host,
    port: config.listen.port,
    unix_socket_directories: places.run,
    unix_socket_permissions: '0700',
    hba_file: join(places.data, hbaName),
    cluster_name: context.node,
    password_encryption: 'scram-sha-256',
    hot_standby: true,
    wal_log_hints: true,
    restart_after_crash: false,
    recovery_target_timeline: 'latest',
    wal_retrieve_retry_interval: '20ms',
    max_slot_wal_keep_size: `${Math.floor(config.replication.walKeep / 1_048_576)}MB`,
    ...renderRole(input, role),
  };
  const lines = Object.entries(settings).map(([name, value]) => renderSetting(name, value));
  return `# Written by Holdfast, and again at every change: edit holdfast.yaml instead.\n${lines.join('\n')}\n`;
}

/** Settings of ours that name places of a node, or that bind a server to other members. */
const ofMembership = [
  'listen_addresses',
  'unix_socket_directories',
  'unix_socket_permissions',
  'hba_file',
  'cluster_name',
  'synchronous_standby_names',
  'primary_conninfo',
  'primary_slot_name',
  'restart_after_crash',
  'sync_replication_slots',
];

/**
 * Makes data that were a member's stand by themselves: started where they are by whom they belong to, they listen on this machine alone, follow
 * nobody, and wait for nobody. Our access rules become pg_hba.conf. As a member's data again they are configured anew.
 */
export async function makeStandalone(data: string, account: EngineContext['account']): Promise<void> {
  const without = (text: string): string =>
    text
      .split('\n')
      .filter((line) => !ofMembership.includes(/^\s*([a-z_]+)/.exec(line)?.[1] ?? ''))
      .join('\n');
  await rewrite(join(data, fileName), without, account);
  const rules = await readFile(join(data, hbaName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (rules !== undefined) await writeDurably(join(data, 'pg_hba.conf'), rules, { account });
}

function renderRole(input: ConfigurationInput, role: Role): Record<string, string | number> {
  if (role.kind === 'primary') {
    // A replica that is being promoted must not wait for its readers.
    return {
      synchronous_standby_names: role.rule,
      primary_conninfo: '',
      primary_slot_name: '',
      max_standby_streaming_delay: 0,
      max_standby_archive_delay: 0,
    };
  }
  return {
    synchronous_standby_names: nobodyRule,
    primary_conninfo: role.upstream === undefined ? '' : renderConninfo(input, role.upstream),
    primary_slot_name: role.upstream === undefined ? '' : slotName(input.context.node),
  };
}

/** The unused fallback name carries the upstream's node, so that what is in force can be read back. */
function renderConninfo({ context, places, version }: ConfigurationInput, upstream: MemberAddress): string {
  const parts: Record<string, string | number> = {
    host: upstream.host,
    port: upstream.port,
    user: replicationRole,
    passfile: passwordFile(places),
    application_name: context.node,
    fallback_application_name: upstream.node,
    connect_timeout: 2,
    keepalives_idle: 5,
    keepalives_interval: 1,
    keepalives_count: 5,
    tcp_user_timeout: 5000,
    gssencmode: 'disable',
    // Else whoever answers there could ask for the password itself.
    ...(version.major >= 16 ? { require_auth: 'scram-sha-256' } : {}),
    // Not for streaming: where the copying of logical slots asks for them.
    ...(version.major >= 17 ? { dbname: 'postgres' } : {}),
  };
  return renderConnection(parts);
}

/** A connection string of libpq (PostgreSQL manual, Connection Strings). */
export function renderConnection(parts: Readonly<Record<string, string | number>>): string {
  return Object.entries(parts)
    .map(([key, value]) => `${key}='${String(value).replaceAll(/['\\]/g, (special) => `\\${special}`)}'`)
    .join(' ');
}

/** The upstream that a conninfo of ours names; undefined for none or another's. */
export function parseConninfo(conninfo: string): MemberAddress | undefined {
  const parts = new Map(
    [...conninfo.matchAll(/([a-z_]+)='((?:[^'\\]|\\.)*)'/g)].map(([, key, value]) => [key!, value!.replaceAll(/\\(.)/g, '$1')]),
  );
  const node = parts.get('fallback_application_name');
  const host = parts.get('host');
  return node === undefined || host === undefined ? undefined : { node, host, port: Number(parts.get('port')) };
}

function raised(parameters: PostgresConfig['parameters'], minimums: Readonly<Record<string, number>>): Record<string, number> {
  const raisedOnes = Object.entries(minimums).filter(([name, minimum]) => Number(parameters[name] ?? standbyDefaults[name]) < minimum);
  return Object.fromEntries(raisedOnes);
}

function renderAccess(config: PostgresConfig): string {
  return `# Written by Holdfast: edit \`hba\` in holdfast.yaml instead.
local all ${adminRole} scram-sha-256
host all ${adminRole} all reject
host replication,postgres ${replicationRole} all scram-sha-256
host all ${replicationRole} all reject
${config.hba.map((line) => `${line}\n`).join('')}local all,replication all scram-sha-256
host all,replication all all scram-sha-256
`;
}
