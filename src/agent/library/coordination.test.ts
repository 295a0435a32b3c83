import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openStore } from './coordination.ts';

const page = await readFile(fileURLToPath(new URL('../../../docs/coordination.md', import.meta.url)), 'utf8');
const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);

describe('the examples of docs/coordination.md run, on the embedded store', () => {
  it.each([
    ['a lock', 0, 'writing as holder 1\n'],
    ['readers, a writer, permits', 1, 'two readers true\none writer catalogue\none of three false\n'],
    ['a leader', 2, 'db1:7400 leads\nnobody leads\n'],
    ['barriers', 3, 'both in, both out\n'],
    ['the store itself', 4, 'workers/7: ready\n'],
  ])('%s', { timeout: 60_000 }, async (_, index, output) => {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-library-'));
    try {
      const program = examples[index]!.replace(
        "'holdfast/coordination'",
        JSON.stringify(new URL('./coordination.ts', import.meta.url).href),
      ).replace("{ etcd: { endpoints: ['http://10.0.0.11:2379'] } }", JSON.stringify({ embedded: join(directory, 'store.db') }));
      await writeFile(join(directory, 'example.ts'), program);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(directory, 'example.ts')], { timeout: 50_000 });
      expect({ stdout, stderr: stderr.replaceAll(/.*MODULE_TYPELESS[\s\S]*/g, '') }).toEqual({ stdout: output, stderr: '' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('all of them', () => expect(examples).toHaveLength(5));
});

describe('a store that is not described rightly is refused', () => {
  it.each([
    ['none', {}, 'exactly one of'],
    ['two', { embedded: 'a', etcd: { endpoints: ['http://127.0.0.1:2379'] } }, 'exactly one of'],
    ['a misspelt key', { etcd: { endpoint: 'http://127.0.0.1:2379' } }, 'endpoint'],
    ['a password written out', { etcd: { endpoints: ['http://127.0.0.1:2379'], username: 'me', password: 'hunter2' } }, 'etcd.password'],
    [
      'a secret that is not there',
      { etcd: { endpoints: ['http://127.0.0.1:2379'], username: 'me', password: '${HOLDFAST_NO_SUCH}' } },
      'HOLDFAST_NO_SUCH',
    ],
  ])('%s', async (_, config, message) => {
    await expect(openStore(config as never)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) });
  });

  it('without giving the secret away', async () => {
    await expect(openStore({ etcd: { endpoints: ['http://127.0.0.1:2379'], username: 'me', password: 'hunter2' } })).rejects.not.toThrow(
      /hunter2/,
    );
  });
});
