// One run of Holdfast, in a process of its own: makes a base backup, or restores one. What it did is its last line, as JSON.
import { findBases, restoreFiles, openRepository, initRepository } from '../../src/backup/index.ts';
import { backupBase } from '../../src/backup/postgres/base.ts';
import { configSchema, open } from '../../src/engine/adapters/postgres/index.ts';
import { createRuntime } from '../../src/runtime/index.ts';
import { LocalLocation } from '../../src/storage/adapters/local/local-location.ts';
import { account } from '../../test/scenario/postgres/account.ts';
import { benchPassword, type HoldfastOrder, type HoldfastResult } from './order.ts';

const order = JSON.parse(process.argv[2] ?? '') as HoldfastOrder;
const { signal } = new AbortController();
const service = 'bench';

await using runtime = createRuntime({ log: { level: 'error' } });
const location = new LocalLocation('repository', order.repository, runtime);
if (order.work === 'init') {
  await initRepository(location, { password: benchPassword }, runtime, { signal });
} else {
  const began = performance.now();
  await using repository = await openRepository(location, { password: benchPassword }, runtime, { signal });
  const figures = order.work === 'restore' ? await restore(order.target) : await backUp(order.work === 'full');
  const result: HoldfastResult = { workMs: performance.now() - began, ...figures };
  process.stdout.write(`${JSON.stringify(result)}\n`);

  async function backUp(full: boolean): Promise<Omit<HoldfastResult, 'workMs'>> {
    const { data, stateDir, port, bin } = order.server!;
    const config = configSchema.parse({ data, listen: `127.0.0.1:${port}`, ...(bin === undefined ? {} : { bin }) });
    await using engine = await open(config, { cluster: 'test', service: 'orders', node: 'a', stateDir, account }, runtime);
    await engine.adopt({ signal });
    const { summary } = await backupBase(repository, engine.base!, runtime, { service, host: 'a', full, signal });
    return { readBytes: summary.readBytes, storedBytes: summary.storedBytes, writtenBytes: 0 };
  }

  async function restore(target: string): Promise<Omit<HoldfastResult, 'workMs'>> {
    const { snapshotId } = (await findBases(repository, { service, signal })).at(-1)!;
    const snapshot = await repository.snapshot(snapshotId, { signal });
    const restored = await restoreFiles(repository, snapshot, { target, overwrite: true, removeOthers: true, signal });
    if (restored.issueCount > 0) throw new Error(`${restored.issueCount} files were not restored: ${restored.issues[0]?.message}`);
    return { readBytes: 0, storedBytes: 0, writtenBytes: restored.writtenBytes };
  }
}
