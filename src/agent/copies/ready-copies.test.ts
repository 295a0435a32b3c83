import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { initRepository } from '../../backup/index.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { connectMemory, MemoryServer } from '../../coordination/adapters/memory/index.ts';
import { createRuntime } from '../../runtime/index.ts';
import { openLocation } from '../../storage/registry.ts';
import { ReadyCopies } from './ready-copies.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-ready-'));
const disk = join(root, 'disk');
const runtime = createRuntime({ log: { level: 'error' } });
const { signal } = new AbortController();
const config = { locations: { disk: { path: disk, password: { reveal: () => 'secret' } } }, services: {} } as unknown as HoldfastConfig;

afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

async function make(): Promise<string> {
  rmSync(disk, { recursive: true, force: true });
  mkdirSync(disk);
  await using location = await openLocation('disk', config.locations, runtime, { signal });
  const { id } = await initRepository(location, { password: 'secret' }, runtime, { signal });
  return id;
}

test(
  'copies are ready for whoever begins to lead, but none are made, nor given away that lie there no more',
  { timeout: 120_000 },
  async () => {
    const { store } = connectMemory(new MemoryServer(runtime.clock), runtime);
    await using ready = new ReadyCopies({ config, runtime, store, record: () => {} }, 'disk');
    mkdirSync(disk);
    await ready.prepare(signal);
    expect(await ready.take(signal)).toBeUndefined();
    expect(readdirSync(disk)).not.toContain('config');

    const id = await make();
    await ready.prepare(signal);
    {
      await using copies = await ready.take(signal);
      expect(copies?.repository.id).toBe(id);
    }
    expect(await ready.take(signal)).toBeUndefined();

    await ready.prepare(signal);
    await make();
    expect(await ready.take(signal)).toBeUndefined();
  },
);
