import type { Command } from 'commander';
import { diffTrees, type Difference } from '../../backup/browse/diff.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { visible } from '../terminal/style.ts';

const signs: Readonly<Record<Difference['change'], string>> = { added: '+', removed: '-', content: 'M', type: 'T', metadata: 'U' };

export function register(command: Command): void {
  addRepositoryOptions(command)
    .argument('<from>', 'a snapshot')
    .argument('<to>', 'another one')
    .option('--metadata', 'tell of changes of owner, mode, times and attributes, too')
    .addHelpText('after', '\n+ added, - removed, M other content, T other type, U other metadata.')
    .action(run);
}

async function run(from: string, to: string, options: RepositoryOptions & { readonly metadata?: boolean }): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    const [before, after] = await Promise.all([repository.snapshot(from, { signal }), repository.snapshot(to, { signal })]);
    const counts = { added: 0, removed: 0, content: 0, type: 0, metadata: 0 };
    const bytes = { added: 0, removed: 0 };
    const changes: object[] = [];
    for await (const difference of diffTrees(repository, before.tree, after.tree, { withMetadata: options.metadata ?? false, signal })) {
      const { path, change } = difference;
      counts[change] += 1;
      if (change !== 'metadata') {
        bytes.added += difference.after?.size ?? 0;
        bytes.removed += difference.before?.size ?? 0;
      }
      if (options.json === true) changes.push({ path, change });
      else printLine(`${signs[change]} ${visible(path)}`);
    }
    if (options.json === true) return printJson({ from: before.id, to: after.id, ...counts, bytes, changes });
    printLine(
      `${counts.added} added, ${counts.removed} removed, ${counts.content + counts.type} changed; ${formatSizeBytes(bytes.added)} came, ${formatSizeBytes(bytes.removed)} went`,
    );
  });
}
