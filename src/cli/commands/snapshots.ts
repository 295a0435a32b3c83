import type { Command } from 'commander';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { addFilterOptions, chosenSnapshots, type FilterOptions } from '../repository/options.ts';
import { printSnapshots, snapshotJson } from '../repository/print.ts';

export function register(command: Command): void {
  addFilterOptions(addRepositoryOptions(command)).argument('[ids...]', 'snapshots; all when left out').action(run);
}

async function run(ids: string[], options: RepositoryOptions & FilterOptions): Promise<void> {
  await withRepository(options, async (session) => {
    const onDamaged = (_: string, error: Error): void => {
      process.stderr.write(`damaged: ${error.message}\n`);
      process.exitCode = 1;
    };
    const snapshots = await chosenSnapshots(session, ids, { ...options, onDamaged });
    if (options.json === true) return printJson(snapshots.map(snapshotJson));
    if (snapshots.length === 0) return printLine('no snapshots');
    printSnapshots(snapshots.map((snapshot) => ({ snapshot })));
  });
}
