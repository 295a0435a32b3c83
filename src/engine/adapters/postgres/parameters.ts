/** Settings that are Holdfast's, with the reason that a user is told. */
const ours: Readonly<Record<string, string>> = {
  listen_addresses: 'it is `listen`',
  port: 'it is `listen`',
  unix_socket_directories: 'Holdfast reaches the server there',
  unix_socket_permissions: 'Holdfast reaches the server there',
  data_directory: 'it is `data`',
  config_file: 'Holdfast keeps it in the data directory',
  hba_file: 'it is `hba`',
  external_pid_file: 'Holdfast finds the server by its own',
  cluster_name: 'it is the name of the node',
  primary_conninfo: 'failover decides whom a member follows',
  primary_slot_name: 'failover decides whom a member follows',
  promote_trigger_file: 'only failover promotes',
  synchronous_standby_names: 'it is `replication.acknowledge`: the fence of failover',
  hot_standby: 'members must answer while they replicate',
  wal_log_hints: 'a former primary could not rejoin without it',
  restart_after_crash: 'failover decides whether a crashed server restarts or hands over',
  recovery_target_timeline: 'replicas must follow the newest timeline',
  recovery_min_apply_delay: 'a delayed replica could not take over',
  restore_command: 'replicas get their WAL from the members',
  archive_cleanup_command: 'replicas get their WAL from the members',
  recovery_end_command: 'failover decides what follows a promotion',
  max_slot_wal_keep_size: 'it is `replication.walKeep`',
  idle_replication_slot_timeout: 'slots keep WAL for whoever is away, and for the journal, as `replication.walKeep` allows',
  wal_retrieve_retry_interval: 'the default makes one promotion in ten take five seconds',
  password_encryption: 'passwords are kept as scram-sha-256 only',
  include: 'write the settings here',
  include_dir: 'write the settings here',
  include_if_exists: 'write the settings here',
  ignore_system_indexes: 'it is for repairs only',
  zero_damaged_pages: 'it destroys data',
  ignore_checksum_failure: 'it spreads damage',
};

/** Settings of which only some values are safe. */
const restricted: Readonly<Record<string, { readonly allowed: readonly string[]; readonly reason: string }>> = {
  wal_level: { allowed: ['replica', 'logical'], reason: 'members replicate by WAL' },
  fsync: { allowed: ['on', 'true', 'yes', '1'], reason: 'an acknowledged commit must survive a crash' },
  full_page_writes: { allowed: ['on', 'true', 'yes', '1'], reason: 'an acknowledged commit must survive a crash' },
  synchronous_commit: { allowed: ['on', 'remote_apply'], reason: 'an acknowledged commit must be on the disks of the replicas' },
};

/** Why a user's setting can not be taken; undefined when it can. */
export function refusalOfParameter(name: string, value: string | number | boolean): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$/.test(name) || name.length > 127) return 'a name of a setting of PostgreSQL';
  const known = name.toLowerCase();
  if (known.startsWith('recovery_target')) return `not '${name}': a member always recovers to the end of the WAL`;
  const reason = Object.hasOwn(ours, known) ? ours[known] : undefined;
  if (reason !== undefined) return `not '${name}', which is Holdfast's to set: ${reason}`;
  const rule = Object.hasOwn(restricted, known) ? restricted[known] : undefined;
  if (rule === undefined || rule.allowed.includes(renderValue(value).toLowerCase())) return undefined;
  return `'${name}' only as ${rule.allowed.slice(0, 2).join(' or ')}: ${rule.reason}`;
}

/** Every setting that must not be overridden in postgresql.auto.conf either. */
export function isReserved(name: string): boolean {
  const known = name.toLowerCase();
  return Object.hasOwn(ours, known) || Object.hasOwn(restricted, known) || known.startsWith('recovery_target');
}

/** One line of postgresql.conf. Quotes and backslashes are escapes there (GUC_scanstr of guc-file.l). */
export function renderSetting(name: string, value: string | number | boolean): string {
  const text = renderValue(value);
  if (/[\0\r\n]/.test(text)) throw new RangeError(`the value of '${name}' is not one line`);
  return `${name} = '${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function renderValue(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}
