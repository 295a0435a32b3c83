import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createRuntime } from '../../../src/runtime/index.ts';
import { Agents, query } from '../agents.ts';
import { processesOf, temporaryDirectory } from '../demo-process.ts';
import { startRestored } from './restored.ts';

const program = new URL('../../../bin/holdfast.mjs', import.meta.url).pathname;
const writers = 6;
const kills = 2;

async function killAll(directory: string): Promise<void> {
  for (const found of await processesOf(directory)) {
    try {
      process.kill(Number.parseInt(found, 10), 'SIGKILL');
    } catch {
      // It has ended with another one.
    }
  }
}

/** Writes rows on several connections at once until all of them break; remembers which were acknowledged, and when. */
class Load {
  readonly acked = new Map<number, number>();
  readonly done: Promise<unknown>;

  constructor(connection: string, first: number) {
    this.done = Promise.allSettled(Array.from({ length: writers }, (_, writer) => this.#write(connection, first + writer * 1_000_000)));
  }

  async #write(connection: string, first: number): Promise<void> {
    const client = new pg.Client({ connectionString: connection, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    await client.connect();
    for (let id = first; ; id++) {
      await client.query('insert into held values ($1)', [id]);
      this.acked.set(id, performance.now());
    }
  }

  since(ms: number): number {
    return [...this.acked.values()].filter((at) => at >= ms).length;
  }
}

test(
  'journal: sync loses nothing acknowledged when all nodes die at once, and no commit is acknowledged while the location is away',
  { timeout: 300_000 },
  async () => {
    await using runtime = createRuntime({ log: { level: 'error' } });
    await using directory = await temporaryDirectory();
    const disk = join(directory.path, 'disk');
    await mkdir(disk);
    const password = join(directory.path, 'copies.password');
    await writeFile(password, randomBytes(24).toString('base64'), { mode: 0o600 });
    // Nothing of it is ended gently.
    await using _everything = { [Symbol.asyncDispose]: () => killAll(directory.path) };
    const agents = await Agents.start({
      directory: join(directory.path, 'cluster'),
      configure: (config) => {
        if (config.services['orders']!['postgres'] === undefined) return;
        config.services['orders']!['backup'] = { to: 'disk', schedule: '0 3 * * *', journal: 'sync' };
        config['locations'] = { disk: { path: disk, password: `file:${password}` } };
      },
    });
    await agents.whole();
    await query(agents.write, 'create table held (id bigint primary key)');
    for (let waited = 0; (await readdir(join(disk, 'snapshots')).catch(() => [])).length === 0; waited += 100) {
      expect(waited).toBeLessThan(60_000);
      await sleep(100);
    }
    const acked: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const service = await agents.whole();
      const load = new Load(agents.connection(service.leader!), (kill + 1) * 100_000_000);
      await sleep(1_000 + Math.floor(Math.random() * 1_000));
      if (kill === 0) {
        await rename(disk, `${disk}.away`);
        // What was on its way is let through.
        await sleep(500);
        const blockedMs = performance.now();
        await sleep(1_500);
        expect(load.since(blockedMs)).toBe(0);
        await rename(`${disk}.away`, disk);
        const end = performance.now() + 60_000;
        while (load.since(blockedMs) === 0 && performance.now() < end) await sleep(100);
      }
      expect(load.acked.size).toBeGreaterThan(0);
      await killAll(directory.path);
      await load.done;
      acked.push(...load.acked.keys());
      const target = join(directory.path, `restored${kill}`);
      const restore = spawnSync(
        process.execPath,
        [program, 'restore', 'orders', '--config', agents.members[kill % 3]!.configFile, '--target', target, '--json'],
        { encoding: 'utf8', timeout: 120_000 },
      );
      expect(restore.status, restore.stdout + restore.stderr).toBe(0);
      const there = new Set<number>();
      {
        await using restored = await startRestored(target, agents.layout.password, runtime);
        for (const { id } of (await restored.client.query<{ id: string }>('select id from held')).rows) there.add(Number(id));
      }
      expect(acked.filter((id) => !there.has(id))).toEqual([]);
      await rm(target, { recursive: true });
      if (kill < kills - 1) for (const { name } of agents.layout.nodes) agents.startAgent(name);
    }
    await agents.abandon();
  },
);
