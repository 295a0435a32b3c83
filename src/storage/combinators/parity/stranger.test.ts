import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { seededRandom, SimulatedTime } from '../../../sim/index.ts';
import { MemoryLocation, type MemoryObjects } from '../../adapters/memory/index.ts';
import { createParity } from './parity.ts';

const python = spawnSync('python3', ['--version']).status === 0;
const required = process.env['HOLDFAST_REQUIRE'] === 'all';
const { signal } = new AbortController();

test.skipIf(!python && !required)(
  `the script of docs/backup.md puts shards together${python ? '' : ' (skipped: python3 is not installed)'}`,
  async () => {
    const [, script = ''] =
      /```python\n(import hashlib[\s\S]*?)```/.exec(await readFile(new URL('../../../../docs/backup.md', import.meta.url), 'utf8')) ?? [];
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-stranger-'));
    try {
      await writeFile(join(directory, 'join.py'), script);
      const clock = new SimulatedTime().clock();
      const stores: MemoryObjects[] = Array.from({ length: 5 }, () => new Map());
      await using location = createParity(
        'vault',
        stores.map((objects, n) => new MemoryLocation(`part-${n}`, { clock }, objects)),
        { data: 3, parity: 2 },
        { clock, random: seededRandom(1), logger: silentLogger },
      );
      const object = randomBytes(200_001);
      await location.put('data/x', [object], { signal });
      const shards = await Promise.all(
        stores.map(async (objects, n) => {
          const path = join(directory, `shard-${n}`);
          const bytes = objects.get('data/x')!.bytes.slice();
          // One of those that are given is rotten; what is left is one data shard and both of parity.
          if (n === 2) bytes[40_000]! ^= 1;
          await writeFile(path, bytes);
          return path;
        }),
      );
      const out = join(directory, 'object');
      const said = execFileSync('python3', [join(directory, 'join.py'), out, ...shards.slice(1)], { encoding: 'utf8', timeout: 60_000 });
      expect(said).toContain('shard-2 is damaged');
      expect(said).toContain('as written');
      expect(Buffer.compare(await readFile(out), object)).toBe(0);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);
