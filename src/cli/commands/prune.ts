import type { Command } from 'commander';
import type { PruneFigures } from '../../backup/index.ts';
import { prune } from '../../backup/prune/prune.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { percent, size } from '../repository/options.ts';
import { progressTo } from '../repository/print.ts';

interface PruneCommandOptions extends RepositoryOptions {
  readonly dryRun?: boolean;
  readonly maxUnused?: number;
  readonly maxRepackSize?: number;
  readonly repackSmallerThan?: number;
}

export function register(command: Command): void {
  addRepositoryOptions(command)
    .option('-n, --dry-run', 'only tell what would be done')
    .option('--max-unused <percentage>', 'of the repository that may stay unused (default: 5%); 0% repacks most', percent)
    .option('--max-repack-size <size>', 'read and write no more than this', size)
    .option('--repack-smaller-than <size>', 'put packs below this together', size)
    .action(run);
}

async function run(options: PruneCommandOptions): Promise<void> {
  await withRepository(options, async ({ repository, runtime, signal }) => {
    const tell = progressTo(options, runtime.clock);
    const figures = await prune(repository, {
      limits: {
        ...(options.maxUnused === undefined ? {} : { maxUnusedPercent: options.maxUnused }),
        ...(options.maxRepackSize === undefined ? {} : { maxRepackBytes: options.maxRepackSize }),
        ...(options.repackSmallerThan === undefined ? {} : { smallPackBytes: options.repackSmallerThan }),
      },
      dryRun: options.dryRun ?? false,
      onProgress: ({ repackedPacks, packsToRepack }) => tell(() => `repacked ${repackedPacks} of ${packsToRepack} packs`),
      signal,
    });
    if (options.json === true) printJson(figures);
    else printLine(textOf(figures, options.dryRun === true));
  });
}

function textOf({ packs, freedBytes, repackedBytes, usedBytes, remainingUnusedBytes }: PruneFigures, isDry: boolean): string {
  const verb = isDry ? 'would free' : 'freed';
  const removed = packs.removed + packs.unindexed;
  return `${verb} ${formatSizeBytes(freedBytes)}: ${removed} packs removed, ${packs.repacked} repacked (${formatSizeBytes(repackedBytes)}); ${formatSizeBytes(usedBytes)} in use, ${formatSizeBytes(remainingUnusedBytes)} stay unused`;
}
