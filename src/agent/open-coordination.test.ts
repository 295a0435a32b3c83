import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { HoldfastConfig } from '../config/schema.ts';
import { createRuntime } from '../runtime/index.ts';
import { openCoordination } from './open-coordination.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
const runtime = createRuntime({ log: { level: 'error' } });
const of = (cluster: string, file = 'store.sqlite'): HoldfastConfig =>
  ({ cluster, coordination: { embedded: join(root, file), ttl: 10_000 } }) as HoldfastConfig;

afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

test('agents of two clusters never share records: the second one is told, and nothing is changed', async () => {
  const other = expect.objectContaining({
    code: 'COORD_OTHER_CLUSTER',
    message: expect.stringMatching(/'shop', not of 'mill'/),
    hint: expect.stringContaining('prefix: /holdfast-mill'),
  });
  await using first = await openCoordination(of('shop'), runtime);
  await first.swap('services/orders/leadership', 'shop', 'absent');
  await expect(openCoordination(of('mill'), runtime)).rejects.toEqual(other);
  await using second = await openCoordination(of('shop'), runtime);
  expect((await second.get('services/orders/leadership'))?.value).toBe('shop');
  await using apart = await openCoordination(of('mill', 'another.sqlite'), runtime);
  expect(await apart.get('services/orders/leadership')).toBeUndefined();
});
