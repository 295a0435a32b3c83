import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createRuntime } from '../runtime/index.ts';
import { locationSchema, type LocationConfig } from './config.ts';
import { Quota } from './quota.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-quota-'));
const runtime = createRuntime({ log: { level: 'error' } });
const { signal } = new AbortController();
afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

function places(size: string): Record<string, LocationConfig> {
  for (const name of ['near', 'far']) {
    mkdirSync(join(root, size, name), { recursive: true });
    writeFileSync(join(root, size, name, 'object'), Buffer.alloc(3_000));
  }
  return {
    near: locationSchema.parse({ path: join(root, size, 'near') }),
    far: locationSchema.parse({ path: join(root, size, 'far'), limits: { size } }),
    both: locationSchema.parse({ mirror: ['near', 'far'] }),
    gone: locationSchema.parse({ path: join(root, 'no such'), limits: { size: '1B' } }),
  };
}

test('a location that is full by its quota begins no backup, nor does what is made of it', async () => {
  const full = new Quota(places('2KiB'), runtime);
  const refused = expect.objectContaining({ code: 'STORAGE_QUOTA', message: expect.stringContaining("location 'far', and 2KiB may") });
  await expect(full.admit('far', { signal })).rejects.toEqual(refused);
  await expect(full.admit('both', { signal })).rejects.toEqual(refused);
  await full.admit('near', { signal });
  await full.admit('gone', { signal });
  await new Quota(places('1MiB'), runtime).admit('both', { signal });
});
