import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import { prepareConfiguration, writeConfiguration } from './configuration.ts';
import { readControlFile } from './control-file.ts';
import { adminRole, makeCredentials, replicationRole, scramVerifier, type PostgresCredentials } from './credentials.ts';
import { requireAbsent, writeMarker } from './data-directory.ts';
import { asFileError, flushDirectory } from './durable-file.ts';
import { flushTree, give } from './durable-tree.ts';
import { configurationInput, type Member } from './member.ts';
import { requireReachable } from './places.ts';
import { nobodyRule } from './rule.ts';

const initMsMax = 120_000;
const partialName = /^(.+)\.partial-[0-9a-f]{16}$/;

/** Makes a new cluster beside the data directory, and puts it there whole. @throws ENGINE_DATA_PRESENT, ENGINE_FOREIGN_DATA, ENGINE_BOOTSTRAP_FAILED, ENGINE_NO_SPACE */
export async function bootstrap(member: Member, signal: AbortSignal): Promise<void> {
  await requireAbsent(member.places, member.context, member.binaries.version);
  await buildData(member, signal, async (directory) => {
    await initialise(member, directory, signal);
    await makePrimary(member, directory, signal);
  });
}

/** Gives data that nobody serves yet our roles, with the credentials of this service, and sets them up to be started as a primary's. */
export async function makePrimary(member: Member, directory: string, signal: AbortSignal): Promise<void> {
  const { context, vault, config } = member;
  const credentials = (await vault.read()) ?? makeCredentials(config.superuser.password?.reveal());
  await vault.write(credentials);
  await writeRoles(member, directory, credentials, signal);
  await writeMarker(directory, context, (await readControlFile(directory)).systemId);
  await prepareConfiguration(configurationInput(member), directory);
  await writeConfiguration(configurationInput(member), directory, { kind: 'primary', rule: nobodyRule });
}

/**
 * Lets `fill` make a data directory under a name that is never taken for data, and renames it into place once all of it is durable.
 * What earlier attempts left is removed first. `settle` comes last before the renaming.
 */
export async function buildData(
  member: Member,
  signal: AbortSignal,
  fill: (directory: string) => Promise<void>,
  settle?: () => Promise<void>,
): Promise<void> {
  const { data } = member.places;
  const parent = dirname(data);
  await mkdir(parent, { recursive: true, mode: 0o755 });
  await requireReachable(data, member.context.account);
  await rm(member.places.rejoin, { force: true });
  await removePartials(data);
  const directory = `${data}.partial-${randomBytes(8).toString('hex')}`;
  try {
    await mkdir(directory, { mode: 0o700 });
    await give(directory, member.context.account);
    await fill(directory);
    await flushTree(member.runtime.processes, directory, signal);
    signal.throwIfAborted();
    await settle?.();
    await rename(directory, data);
    await flushDirectory(parent);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw asFileError(error, directory);
  }
}

/** Where data are made of copies: what is there when that is cut off is gone on with. */
export function restoringName(data: string): string {
  return `${data}.restoring`;
}

async function removePartials(data: string): Promise<void> {
  const parent = dirname(data);
  await rm(restoringName(data), { recursive: true, force: true });
  for (const name of await readdir(parent)) {
    if (partialName.exec(name)?.[1] === basename(data)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function initialise(member: Member, directory: string, signal: AbortSignal): Promise<void> {
  const { binaries, config } = member;
  const fixed = [
    '-D',
    directory,
    '-U',
    config.superuser.name,
    '--auth=reject',
    '--encoding=UTF8',
    '--data-checksums',
    '--no-sync',
    '--no-instructions',
  ];
  const attempts = config.locale === undefined ? defaultLocales(binaries.version.major) : [[`--locale=${config.locale}`]];
  let said = '';
  for (const locale of attempts) {
    const result = await runAs(member, binaries.program('initdb'), [...fixed, ...locale], signal);
    if (result.code === 0) return;
    said = result.stderr.trim().slice(-1000);
    if (!/locale/.test(said)) break;
  }
  throw failed('initdb', said, config.locale === undefined ? '' : ` Check that the locale ${config.locale} is installed.`);
}

/** Sorted by bytes, with the characters of UTF-8, where that can be had without the C library's (changing) tables. */
function defaultLocales(major: number): string[][] {
  const plain = [['--locale=C', '--lc-ctype=C.UTF-8'], ['--locale=C']];
  return major >= 17 ? [['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'], ...plain] : plain;
}

/** In single-user mode: there is no moment at which a server without passwords listens. Restored data have the roles, with passwords of their time. */
async function writeRoles(member: Member, directory: string, credentials: PostgresCredentials, signal: AbortSignal): Promise<void> {
  const readFiles = [
    'pg_ls_dir(text, boolean, boolean)',
    'pg_stat_file(text, boolean)',
    'pg_read_binary_file(text)',
    'pg_read_binary_file(text, bigint, bigint, boolean)',
  ];
  const backup =
    member.binaries.version.major >= 15
      ? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
      : ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)'];
  const statements = [
    ...roleStatements(member.config.superuser.name, 'superuser', scramVerifier(credentials.superuser)),
    ...roleStatements(adminRole, 'superuser', scramVerifier(credentials.admin)),
    ...roleStatements(replicationRole, 'replication', scramVerifier(credentials.replication)),
    ...[...readFiles, ...backup].map((name) => `grant execute on function pg_catalog.${name} to ${replicationRole}`),
    `grant pg_monitor to ${replicationRole}`,
  ];
  const result = await runAs(
    member,
    member.binaries.program('postgres'),
    ['--single', '-D', directory, '-c', 'log_min_messages=error', '-c', 'synchronous_standby_names=', '-j', 'postgres'],
    signal,
    `${statements.join(';\n\n')};\n\n`,
  );
  const complaint = /(ERROR|FATAL|PANIC):.*/.exec(result.stderr)?.[0];
  if (result.code !== 0 || complaint !== undefined) throw failed('the creation of roles', complaint ?? result.stderr.slice(-500), '');
}

/** Names are of our own schema of role names: they need no escaping beyond quotes. */
function roleStatements(name: string, attribute: 'superuser' | 'replication', verifier: string): string[] {
  return [
    `do $$ begin if not exists (select from pg_catalog.pg_roles where rolname = '${name}') then create role ${quoteName(name)}; end if; end $$`,
    `alter role ${quoteName(name)} ${attribute} login password '${verifier}'`,
  ];
}

async function runAs(member: Member, program: string, args: string[], signal: AbortSignal, input?: string) {
  const { account } = member.context;
  return await member.runtime.processes.run(program, args, {
    timeoutMs: initMsMax,
    signal,
    cwd: dirname(program),
    ...(account === undefined ? {} : { account }),
    ...(input === undefined ? {} : { input }),
  });
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function failed(what: string, said: string, more: string): HoldfastError {
  if (/No space left on device/.test(said))
    return new HoldfastError('ENGINE_NO_SPACE', `the disk is full: ${said}`, {
      retryable: true,
      hint: 'Free space on the file system of the data directory.',
    });
  return new HoldfastError('ENGINE_BOOTSTRAP_FAILED', `${what} failed: ${said || 'without a word'}`, {
    hint: `Nothing was left behind.${more}`,
  });
}
