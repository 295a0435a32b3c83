import type { Command } from 'commander';
import { repairIndex } from '../../backup/check/repair-index.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';

export function register(command: Command): void {
  addRepositoryOptions(command)
    .option('--read-all', 'believe no index: ask every pack')
    .addHelpText('after', '\nRemoves no data. Exit code 1: packs are there that can not be read.')
    .action(run);
}

async function run(options: RepositoryOptions & { readonly readAll?: boolean }): Promise<void> {
  await withRepository(
    options,
    async ({ repository, signal }) => {
      const repair = await repairIndex(repository, { signal, readAll: options.readAll ?? false });
      const { packsUnreadable, packsRead, packsGone, damagedIndexes, changed } = repair;
      if (packsUnreadable.size > 0) process.exitCode = 1;
      if (options.json === true) return printJson({ ...repair, packsUnreadable: Object.fromEntries(packsUnreadable) });
      for (const [id, problem] of packsUnreadable) printLine(`pack ${id.slice(0, 16)} ${problem}`);
      printLine(
        `${packsRead} packs asked, ${packsGone} gone, ${packsUnreadable.size} not readable; ${damagedIndexes} index files were damaged`,
      );
      printLine(changed ? 'the index was made anew' : 'nothing was to be repaired');
    },
    { skipsDamagedIndexes: true },
  );
}
