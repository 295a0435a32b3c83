import { backupBase } from '../../src/backup/postgres/base.ts';
import type { Repository } from '../../src/backup/repository.ts';
import type { MachineRuntime } from '../../src/core/runtime.ts';
import { configSchema, open } from '../../src/engine/adapters/postgres/index.ts';
import { account } from '../../test/scenario/postgres/account.ts';
import { benchService, type HoldfastFigures, type HoldfastOrder } from './order.ts';

const { signal } = new AbortController();

export async function perform(repository: Repository, order: HoldfastOrder, runtime: MachineRuntime): Promise<HoldfastFigures> {
  const { data, stateDir, port, bin } = order.server!;
  const config = configSchema.parse({ data, listen: `127.0.0.1:${port}`, ...(bin === undefined ? {} : { bin }) });
  await using engine = await open(config, { cluster: 'test', service: 'orders', node: 'a', stateDir, account }, runtime);
  await engine.adopt({ signal });
  const full = order.work === 'full';
  const { summary } = await backupBase(repository, engine.base!, runtime, { service: benchService, host: 'a', full, signal });
  return { readBytes: summary.readBytes, storedBytes: summary.storedBytes, writtenBytes: 0 };
}
