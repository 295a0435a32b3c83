import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { dumpSnapshot, initRepository, openRepository, type Snapshot } from '../../backup/index.ts';
import { backupSchema } from '../../config/copies.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import type { Clock } from '../../core/clock.ts';
import { connectMemory, MemoryServer } from '../../coordination/adapters/memory/index.ts';
import { createRuntime } from '../../runtime/index.ts';
import { openLocation, Quota } from '../../storage/index.ts';
import { SourceKeeper } from './source-keeper.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-source-'));
const runtime = createRuntime({ log: { level: 'error' } });
const { signal } = new AbortController();
const server = new MemoryServer(runtime.clock);
let place = '';
let number = 0;
afterEach(() => rmSync(place, { recursive: true, force: true }));
afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** The machine's, with another time of day. */
function clockAhead(aheadMs: number): Clock {
  const { clock } = runtime;
  return {
    monotonicMs: () => clock.monotonicMs(),
    bootMs: () => clock.bootMs(),
    wallMs: () => clock.wallMs() + aheadMs,
    after: (delayMs, callback) => clock.after(delayMs, callback),
    sleep: (delayMs, until) => clock.sleep(delayMs, until),
  };
}

type Told = [string, Record<string, unknown>];

/** A service, with its own location; nodes that care for it are added. */
async function service(backup: Record<string, unknown>, kind: 'files' | 'process' = 'process') {
  place = join(root, `place-${(number += 1)}`);
  const source = join(root, `source-${number}`);
  mkdirSync(place);
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'one');
  const copied = backupSchema.parse({ to: 'disk', schedule: '0 3 1 1 *', ...(kind === 'process' && { paths: [source] }), ...backup });
  const config = {
    services: { uploads: { ...(kind === 'files' ? { files: { path: source } } : { process: {} }), backup: copied } },
    locations: { disk: { path: place, password: { reveal: () => 'secret' } } },
  } as unknown as HoldfastConfig;
  {
    await using location = await openLocation('disk', config.locations, runtime, { signal });
    await initRepository(location, { password: 'secret', kdfCost: { N: 2, r: 8, p: 1 } }, runtime, { signal });
  }
  const told: Told[] = [];
  const start = (node: string, leads = () => true, aheadMs = 0) => {
    const { store } = connectMemory(server, runtime);
    const record = (what: string, data: Record<string, unknown>): void => void told.push([what, data]);
    const ahead = { ...runtime, clock: clockAhead(aheadMs) };
    return new SourceKeeper({
      service: 'uploads',
      node,
      config,
      record,
      runtime: ahead,
      store,
      quota: new Quota(config.locations, runtime),
      leads,
    });
  };
  const snapshots = async (): Promise<Snapshot[]> => {
    await using location = await openLocation('disk', config.locations, runtime, { signal });
    await using repository = await openRepository(location, { password: 'secret', threads: 0 }, runtime, { signal });
    return await Array.fromAsync(repository.snapshots({ signal }));
  };
  const content = async (snapshot: Snapshot, path: string): Promise<string> => {
    await using location = await openLocation('disk', config.locations, runtime, { signal });
    await using repository = await openRepository(location, { password: 'secret', threads: 0 }, runtime, { signal });
    const chunks: Uint8Array[] = [];
    for await (const chunk of dumpSnapshot(repository, snapshot, { path, signal })) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  };
  const until = async (what: string, count = 1): Promise<Told[]> => {
    for (let tries = 0; tries < 600; tries++) {
      const found = told.filter(([name]) => name === what);
      if (found.length >= count) return found;
      await runtime.clock.sleep(50, signal);
    }
    throw new Error(`not told in time: ${what}; but ${JSON.stringify(told)}`);
  };
  return { source, told, start, snapshots, content, until };
}

describe('a service that is no database', { timeout: 60_000 }, () => {
  test('is copied once, though two believe to lead it', async () => {
    const s = await service({ before: { run: ['/bin/sh', '-c', 'sleep 0.5'] } });
    {
      await using a = s.start('a');
      await using b = s.start('b');
      await s.until('backup.made');
      // Whoever waited for the lock sees what the other one made.
      for (const keeper of [a, b]) {
        while (keeper.state()?.last === undefined) await runtime.clock.sleep(50, signal);
      }
    }
    const [snapshot, ...others] = await s.snapshots();
    expect(others).toEqual([]);
    expect(snapshot?.tags).toEqual(['service-copy', 'service=uploads']);
    expect(await s.content(snapshot!, join(s.source, 'a'))).toBe('one');
    expect(s.told.filter(([what]) => what === 'backup.made')).toHaveLength(1);
  });

  test('a directory is copied on each node that has it, and rules hold for each', async () => {
    const s = await service({ keep: { last: 1 } }, 'files');
    for (const year of [0, 1]) {
      for (const [index, node] of ['a', 'b'].entries()) {
        writeFileSync(join(s.source, 'a'), `${node} ${year}`);
        await using _keeper = s.start(node, () => true, year * 366 * 86_400_000);
        await s.until('backup.made', year * 2 + index + 1);
        if (year === 1) await s.until('backup.retained', index + 1);
      }
    }
    const left = await s.snapshots();
    const contents = await Promise.all(left.map(async (one) => `${one.hostname}: ${await s.content(one, join(s.source, 'a'))}`));
    expect(contents.toSorted()).toEqual(['a: a 1', 'b: b 1']);
  });

  test('what a program writes becomes a file; what fails leaves no snapshot, and what is run after it is run all the same', async () => {
    const mark = join(root, `mark-${number}`);
    const after = { run: ['/bin/sh', '-c', `echo "$HOLDFAST_SERVICE" >> ${mark}`] };
    const command = { name: 'dump.sql', run: ['/bin/sh', '-c', 'echo "select 1;"'] };
    const good = await service({ paths: undefined, command, after });
    {
      await using _keeper = good.start('a');
      await good.until('backup.made');
    }
    const [snapshot] = await good.snapshots();
    expect(await good.content(snapshot!, '/dump.sql')).toBe('select 1;\n');
    const bad = await service({ paths: undefined, command: { ...command, run: ['/bin/sh', '-c', 'echo half; exit 1'] }, after });
    {
      await using keeper = bad.start('a');
      const [[, data] = []] = await bad.until('backup.failed');
      expect(data).toEqual({ error: "'/bin/sh' ended with 1" });
      expect(keeper.state()?.alarms).toEqual(["There is no backup yet: '/bin/sh' ended with 1"]);
      await bad.until('backup.alarm');
    }
    expect(await bad.snapshots()).toEqual([]);
    expect(readFileSync(mark, 'utf8')).toBe('uploads\nuploads\n');
  });

  test('what is to be run before it and fails, or takes too long, stops it', async () => {
    for (const script of ['echo no >&2; exit 2', 'sleep 100']) {
      const s = await service({ before: { run: ['/bin/sh', '-c', script], within: '1s' } });
      await using _keeper = s.start('a');
      const [[, data] = []] = await s.until('backup.failed');
      expect(data?.['error']).toMatch(
        /^\/bin\/sh, to be run before uploads is copied, failed: (it ended with 2: no|'\/bin\/sh' did not end)/,
      );
    }
  });

  test('a node that leads no more stops in the midst', async () => {
    let leads = true;
    const s = await service({ before: { run: ['sleep', '100'] } });
    await using keeper = s.start('a', () => leads);
    await runtime.clock.sleep(1_500, signal);
    leads = false;
    while (keeper.state() !== undefined) await runtime.clock.sleep(50, signal);
    leads = true;
    expect(existsSync(join(place, 'config'))).toBe(true);
    expect(await s.snapshots()).toEqual([]);
  });
});
