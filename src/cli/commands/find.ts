import type { Command } from 'commander';
import { findInSnapshots } from '../../backup/browse/find.ts';
import { printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { addFilterOptions, chosenSnapshots, collect, type FilterOptions } from '../repository/options.ts';
import { formatNode, nodeJson, shortId } from '../repository/print.ts';

interface FindOptions extends RepositoryOptions, FilterOptions {
  readonly snapshot?: string[];
  readonly ignoreCase?: boolean;
}

export function register(command: Command): void {
  addFilterOptions(addRepositoryOptions(command))
    .argument('<patterns...>', 'names or ends of paths: *.sql, etc/**/passwd')
    .option('-s, --snapshot <id>', 'only in this one (may be repeated)', collect)
    .option('-i, --ignore-case', 'in upper or lower case')
    .addHelpText('after', '\nExit code 1: nothing was found. With --json one document a line.')
    .action(run);
}

async function run(patterns: string[], options: FindOptions): Promise<void> {
  await withRepository(options, async (session) => {
    const snapshots = await chosenSnapshots(session, options.snapshot ?? [], options);
    let found = 0;
    const search = { patterns, ignoreCase: options.ignoreCase ?? false, signal: session.signal };
    for await (const { snapshot, path, node } of findInSnapshots(session.repository, snapshots.toReversed(), search)) {
      found += 1;
      if (options.json === true) printLine(JSON.stringify({ snapshot: snapshot.id, ...nodeJson(path, node) }));
      else printLine(`${shortId(snapshot.id)} ${formatNode(path, node)}`);
    }
    if (found === 0) process.exitCode = 1;
  });
}
