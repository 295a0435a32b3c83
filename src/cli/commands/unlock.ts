import type { Command } from 'commander';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';

export function register(command: Command): void {
  addRepositoryOptions(command).option('--all', 'those of the living, too: only when their holders are known to be gone').action(run);
}

async function run(options: RepositoryOptions & { readonly all?: boolean }): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    const removed = await repository.unlock({ all: options.all ?? false, signal });
    if (options.json === true) printJson({ removed });
    else printLine(`${removed} locks removed`);
  });
}
