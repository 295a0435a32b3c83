// One run of Holdfast, in a process of its own: makes a base backup, or restores one. What it did is its last line, as JSON. As commands do, it
// loads what its work needs.
import { initRepository, openRepository } from '../../src/backup/open/open-repository.ts';
import { createRuntime } from '../../src/runtime/index.ts';
import { LocalLocation } from '../../src/storage/adapters/local/local-location.ts';
import { benchPassword, type HoldfastOrder, type HoldfastResult } from './order.ts';

const order = JSON.parse(process.argv[2] ?? '') as HoldfastOrder;
const { signal } = new AbortController();

await using runtime = createRuntime({ log: { level: 'error' } });
const location = new LocalLocation('repository', order.repository, runtime);
if (order.work === 'init') {
  await initRepository(location, { password: benchPassword }, runtime, { signal });
} else {
  const load = async (): Promise<typeof import('./holdfast-restore.ts') | typeof import('./holdfast-backup.ts')> =>
    order.work === 'restore' ? await import('./holdfast-restore.ts') : await import('./holdfast-backup.ts');
  const began = performance.now();
  const opening = { password: benchPassword, startsThreads: true, onDeriving: () => void load() };
  await using repository = await openRepository(location, opening, runtime, { signal });
  const { perform } = await load();
  const figures = await perform(repository, order, runtime);
  const result: HoldfastResult = { workMs: performance.now() - began, ...figures };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
