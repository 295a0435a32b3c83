import type { Command } from 'commander';
import { listSnapshot } from '../../backup/browse/list.ts';
import { printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { formatNode, nodeJson } from '../repository/print.ts';
import { visible } from '../terminal/style.ts';

interface ListOptions extends RepositoryOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

export function register(command: Command): void {
  addRepositoryOptions(command)
    .argument('<snapshot>', 'its id, a beginning of it, or "latest"')
    .argument('[path]', 'a directory of it', '/')
    .option('-l, --long', 'with mode, owner, size and time')
    .option('--no-recursive', 'only what is in the directory itself')
    .addHelpText('after', '\nWith --json one document a line.')
    .action(run);
}

async function run(id: string, path: string, options: ListOptions): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    const snapshot = await repository.snapshot(id, { signal });
    for await (const listed of listSnapshot(repository, snapshot, { path, recursive: options.recursive ?? true, signal })) {
      if (options.json === true) printLine(JSON.stringify(nodeJson(listed.path, listed.node)));
      else printLine(options.long === true ? formatNode(listed.path, listed.node) : visible(listed.path));
    }
  });
}
