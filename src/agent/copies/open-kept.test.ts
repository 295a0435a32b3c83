import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { initRepository } from '../../backup/index.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { connectMemory, MemoryServer } from '../../coordination/adapters/memory/index.ts';
import { createRuntime } from '../../runtime/index.ts';
import { openLocation } from '../../storage/registry.ts';
import { openKept, type KeptParts } from './open-kept.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-kept-'));
const disk = join(root, 'disk');
const runtime = createRuntime({ log: { level: 'error' } });
const { signal } = new AbortController();
const config = { locations: { disk: { path: disk, password: { reveal: () => 'secret' } } }, services: {} } as unknown as HoldfastConfig;

beforeEach(() => {
  rmSync(disk, { recursive: true, force: true });
  mkdirSync(disk);
});
afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** Agents of one cluster. */
function cluster() {
  const server = new MemoryServer(runtime.clock);
  const told: string[] = [];
  const agent = () => {
    const { store } = connectMemory(server, runtime);
    const parts: KeptParts = { config, runtime, store, record: (what) => void told.push(what) };
    const open = async (): Promise<string> => {
      await using copies = await openKept(parts, 'disk', { signal });
      return copies.repository.id;
    };
    return { open };
  };
  return { agent, server, told };
}

const gone = expect.objectContaining({ code: 'BACKUP_REPOSITORY_GONE', hint: expect.stringContaining('holdfast init --repo disk') });

test('a repository is made once; where it was, none is made again, by whichever agent', { timeout: 120_000 }, async () => {
  const { agent, told } = cluster();
  const [a, b] = [agent(), agent()];
  const id = await a.open();
  expect(await a.open()).toBe(id);
  renameSync(disk, `${disk}-unmounted`);
  mkdirSync(disk);
  await expect(a.open()).rejects.toEqual(gone);
  await expect(b.open()).rejects.toEqual(gone);
  rmSync(disk, { recursive: true });
  renameSync(`${disk}-unmounted`, disk);
  expect(await b.open()).toBe(id);
  expect(told).toEqual(['backup.repository.made']);
});

test('one that an operator made, or that was there before the cluster, is taken and remembered', { timeout: 120_000 }, async () => {
  const { agent } = cluster();
  const first = await agent().open();
  rmSync(disk, { recursive: true });
  mkdirSync(disk);
  {
    await using location = await openLocation('disk', config.locations, runtime, { signal });
    await initRepository(location, { password: 'secret', kdfCost: { N: 2, r: 8, p: 1 } }, runtime, { signal });
  }
  const second = await agent().open();
  expect(second).not.toBe(first);
  const other = cluster();
  expect(await other.agent().open()).toBe(second);
  expect(other.told).toEqual([]);
  rmSync(disk, { recursive: true });
  mkdirSync(disk);
  await expect(other.agent().open()).rejects.toEqual(gone);
});

test('while the store is away copies that are there are added to, and none are begun', { timeout: 120_000 }, async () => {
  const { agent, server } = cluster();
  const { open } = agent();
  server.crash();
  await expect(open()).rejects.toMatchObject({ code: 'COORD_UNREACHABLE' });
  server.start();
  const id = await open();
  server.crash();
  expect(await open()).toBe(id);
});
