import type { Command } from 'commander';
import type { RestoreProgress } from '../../backup/index.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, type RepositorySession, withRepository } from '../repository/open.ts';
import { collect } from '../repository/options.ts';
import { progressTo } from '../repository/print.ts';
import { visible } from '../terminal/style.ts';

interface RestoreFilesOptions extends RepositoryOptions {
  readonly target: string;
  readonly from?: string;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly overwrite?: boolean;
  readonly delete?: boolean;
  readonly trustTimes?: boolean;
  readonly verify?: boolean;
  readonly sparse?: boolean;
}

export function register(command: Command): void {
  addRepositoryOptions(command)
    .argument('<snapshot>', 'its id, a beginning of it, or "latest"')
    .requiredOption('-t, --target <directory>', 'where to; must be empty or absent')
    .option('--from <path>', 'only this directory of the snapshot: its content becomes that of the target')
    .option('-i, --include <pattern>', 'only what matches (may be repeated)', collect)
    .option('-e, --exclude <pattern>', 'not what matches (may be repeated)', collect)
    .option('--overwrite', 'the target may hold something: only what differs is written')
    .option('--delete', 'remove what is not in the snapshot')
    .option('--trust-times', 'take files of the same size and time for unchanged')
    .option('--verify', 'read everything back and compare')
    .option('--no-sparse', 'write zeros, leave no holes')
    .addHelpText('after', '\nExit code 1: something could not be restored as it was. The same command again goes on where it was.')
    .action(run);
}

async function run(id: string, options: RestoreFilesOptions): Promise<void> {
  const restore = async ({ repository, runtime, signal }: RepositorySession): Promise<void> => {
    const { restoreFiles } = await load();
    const snapshot = await repository.snapshot(id, { signal });
    const tell = progressTo(options, runtime.clock);
    const result = await restoreFiles(repository, snapshot, {
      target: options.target,
      ...(options.from && { from: options.from }),
      filter: { include: options.include ?? [], exclude: options.exclude ?? [] },
      overwrite: options.overwrite ?? false,
      removeOthers: options.delete ?? false,
      trustTimes: options.trustTimes ?? false,
      verify: options.verify ?? false,
      sparse: options.sparse ?? true,
      onProgress: (progress) => tell(() => textOf(progress)),
      signal,
    });
    if (result.issueCount > 0) process.exitCode = 1;
    if (options.json === true) return printJson({ snapshot: snapshot.id, ...result, verifiedFiles: result.verifiedFiles ?? null });
    for (const { path, kind, message } of result.issues) process.stderr.write(`${kind}: ${visible(path)}: ${visible(message)}\n`);
    const verified = result.verifiedFiles === undefined ? '' : `, ${result.verifiedFiles} read back and right`;
    printLine(`${result.files} files in ${result.directories} directories${verified}: ${textOf(result)}`);
    if (result.issueCount > 0) printLine(`${result.issueCount} things are not as they were`);
  };
  await withRepository(options, restore, { load, startsThreads: true, callerWorks: true });
}

const load = () => import('../../backup/files/restore/restore.ts');

function textOf({ writtenBytes, keptBytes, totalBytes }: RestoreProgress): string {
  return `${formatSizeBytes(writtenBytes)} written, ${formatSizeBytes(keptBytes)} were there, of ${formatSizeBytes(totalBytes)}`;
}
