import type { Command } from 'commander';
import { copySnapshots } from '../../backup/copy/copy.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { addFilterOptions, chosenSnapshots, type FilterOptions } from '../repository/options.ts';
import { progressTo } from '../repository/print.ts';

interface CopyCommandOptions extends RepositoryOptions, FilterOptions {
  readonly to: string;
  readonly toPasswordFile?: string;
}

export function register(command: Command): void {
  addFilterOptions(addRepositoryOptions(command))
    .argument('[ids...]', 'snapshots; all when left out')
    .requiredOption('--to <where>', 'the other repository, as --repo')
    .option('--to-password-file <file>', "its password; the first one's when left out")
    .action(run);
}

async function run(ids: string[], options: CopyCommandOptions): Promise<void> {
  const { passwordFile, config, json } = options;
  const toPasswordFile = options.toPasswordFile ?? passwordFile;
  const to: RepositoryOptions = {
    repo: options.to,
    ...(toPasswordFile && { passwordFile: toPasswordFile }),
    ...(config && { config }),
    ...(json && { json }),
  };
  await withRepository(options, (source) =>
    withRepository(to, async (target) => {
      await target.admit();
      const tell = progressTo(options, source.runtime.clock);
      const result = await copySnapshots(source.repository, target.repository, {
        snapshots: await chosenSnapshots(source, ids, options),
        onProgress: ({ copiedBlobs, copiedBytes }) => tell(() => `copied ${copiedBlobs} blobs, ${formatSizeBytes(copiedBytes)}`),
        signal: target.signal,
      });
      if (json === true) printJson(result);
      else
        printLine(
          `${result.copied.length} snapshots copied, ${result.skipped.length} were there; ${result.copiedBlobs} blobs, ${formatSizeBytes(result.copiedBytes)}`,
        );
    }),
  );
}
