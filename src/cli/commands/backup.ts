import type { Command } from 'commander';
import type { BackupResult, BackupSummary } from '../../backup/index.ts';
import { HoldfastError } from '../../core/errors.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, type RepositorySession, withRepository } from '../repository/open.ts';
import { collect, size } from '../repository/options.ts';
import { progressTo, shortId } from '../repository/print.ts';
import { visible } from '../terminal/style.ts';

interface BackupOptions extends RepositoryOptions {
  readonly base?: string;
  readonly tag?: string[];
  readonly host?: string;
  readonly exclude?: string[];
  readonly iexclude?: string[];
  readonly excludeIfPresent?: string[];
  readonly excludeCaches?: boolean;
  readonly excludeLargerThan?: number;
  readonly oneFileSystem?: boolean;
  readonly withAtime?: boolean;
  readonly force?: boolean;
  readonly skipIfUnchanged?: boolean;
  readonly stdin?: boolean;
  readonly stdinFilename: string;
}

export function register(command: Command): void {
  addRepositoryOptions(command)
    .argument('[paths...]', 'files and directories')
    .option('--base <directory>', 'store paths as seen from here, not from /')
    .option('--tag <tag>', 'of the snapshot (may be repeated)', collect)
    .option('--host <name>', "instead of this machine's")
    .option('-e, --exclude <pattern>', 'leave out what matches, as restic does (may be repeated)', collect)
    .option('--iexclude <pattern>', 'the same, in upper or lower case', collect)
    .option('--exclude-if-present <file>', 'leave out directories that have this file', collect)
    .option('--exclude-caches', 'leave out directories marked by CACHEDIR.TAG')
    .option('--exclude-larger-than <size>', 'leave out larger files', size)
    .option('-x, --one-file-system', 'stay on the file systems of the paths')
    .option('--with-atime', 'keep times of access, too')
    .option('-f, --force', 'read all files, though they look unchanged')
    .option('--skip-if-unchanged', 'make no snapshot when nothing changed')
    .option('--stdin', 'back up what comes on standard input')
    .option('--stdin-filename <name>', 'its name in the snapshot', 'stdin')
    .addHelpText('after', '\nExit code 3: a snapshot was made, and something is missing from it.')
    .action(run);
}

async function run(paths: string[], options: BackupOptions): Promise<void> {
  if ((paths.length === 0) === (options.stdin !== true)) {
    throw new HoldfastError('CLI_USAGE', 'paths are to be given, or --stdin', { hint: 'holdfast backup --help' });
  }
  const make = async (session: RepositorySession): Promise<void> => {
    await session.admit();
    const result = await backup(paths, options, session);
    if (!result.isComplete) process.exitCode = 3;
    const { snapshot, summary, issues, issueCount } = result;
    if (options.json === true)
      return printJson({ snapshot: snapshot?.id ?? null, ...summary, complete: result.isComplete, issueCount, issues });
    for (const { path, kind, message } of issues) process.stderr.write(`${kind}: ${visible(path)}: ${visible(message)}\n`);
    printLine(snapshot === undefined ? 'nothing changed: no snapshot was made' : `snapshot ${shortId(snapshot.id)}: ${textOf(summary)}`);
    if (!result.isComplete) printLine(`${issueCount} files could not be read as they should`);
  };
  await withRepository(options, make, { load: options.stdin === true ? loadStream : loadFiles });
}

const loadFiles = () => import('../../backup/files/backup.ts');
const loadStream = () => import('../../backup/files/stream.ts');

async function backup(
  paths: readonly string[],
  options: BackupOptions,
  { repository, runtime, signal }: RepositorySession,
): Promise<BackupResult> {
  const tell = progressTo(options, runtime.clock);
  const onProgress = (summary: BackupSummary): void => tell(() => textOf(summary));
  const common = { tags: options.tag ?? [], ...(options.host && { host: options.host }), onProgress, signal };
  if (options.stdin === true) {
    const { backupStream } = await loadStream();
    return await backupStream(repository, runtime, process.stdin, { ...common, name: options.stdinFilename });
  }
  const { backupFiles } = await loadFiles();
  return await backupFiles(repository, runtime, {
    ...common,
    paths,
    mayBlock: true,
    ...(options.base && { base: options.base }),
    ...(options.force && { parent: 'none' as const }),
    withAccessTimes: options.withAtime ?? false,
    skipIfUnchanged: options.skipIfUnchanged ?? false,
    select: {
      exclude: options.exclude ?? [],
      excludeIgnoringCase: options.iexclude ?? [],
      excludeIfPresent: (options.excludeIfPresent ?? []).map((text) => {
        const [name = '', ...header] = text.split(':');
        return header.length === 0 ? { name } : { name, header: header.join(':') };
      }),
      excludeCaches: options.excludeCaches ?? false,
      ...(options.excludeLargerThan === undefined ? {} : { excludeLargerThanBytes: options.excludeLargerThan }),
      oneFileSystem: options.oneFileSystem ?? false,
    },
  });
}

function textOf(summary: BackupSummary): string {
  const { filesNew, filesChanged, filesUnmodified, processedBytes, addedBytes, storedBytes } = summary;
  return `${filesNew} files new, ${filesChanged} changed, ${filesUnmodified} unmodified, ${formatSizeBytes(processedBytes)}; added ${formatSizeBytes(addedBytes)}, stored as ${formatSizeBytes(storedBytes)}`;
}
