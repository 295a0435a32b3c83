import { once } from 'node:events';
import type { Command } from 'commander';
import { dumpSnapshot } from '../../backup/browse/dump.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';

export function register(command: Command): void {
  addRepositoryOptions(command)
    .argument('<snapshot>', 'its id, a beginning of it, or "latest"')
    .argument('<path>', 'a file: its content; a directory: a tar archive of what is in it')
    .action(run);
}

async function run(id: string, path: string, options: RepositoryOptions): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    const snapshot = await repository.snapshot(id, { signal });
    for await (const data of dumpSnapshot(repository, snapshot, { path, signal })) {
      if (!process.stdout.write(data)) await once(process.stdout, 'drain', { signal });
    }
  });
}
