import type { Command } from 'commander';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';

export function register(command: Command): void {
  addRepositoryOptions(command)
    .addHelpText('after', '\nWithout the password nothing can ever be read again: keep it where the copies are not.')
    .action(run);
}

async function run(options: RepositoryOptions): Promise<void> {
  const session = async ({ repository }: { repository: { id: string; version: number; location: { name: string } } }): Promise<void> => {
    const { id, version, location } = repository;
    if (options.json === true) printJson({ id, version, location: location.name });
    else printLine(`made the repository ${id.slice(0, 10)} in ${location.name}`);
    return Promise.resolve();
  };
  await withRepository(options, session, { create: true });
}
