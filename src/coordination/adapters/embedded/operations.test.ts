import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { openDatabase } from './database.ts';
import { fileSystemRefused } from './host.ts';
import { EmbeddedOperations } from './operations.ts';

const host = { bootId: 'boot', machine: 'machine' };

function openTemporary(): { db: DatabaseSync; [Symbol.dispose](): void } {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-operations-'));
  const { db } = openDatabase(join(directory, 'store.db'), host);
  return {
    db,
    [Symbol.dispose]: () => {
      db.close();
      rmSync(directory, { recursive: true });
    },
  };
}

it('is made by several at the same moment, and all of them take it for theirs', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-operations-'));
  const openers = 3;
  const script = `
    const { workerData } = require('node:worker_threads');
    const { module, host, files, arrived, openers } = workerData;
    import(module).then(({ openDatabase }) => {
      for (const [round, file] of files.entries()) {
        Atomics.add(arrived, 0, 1);
        while (Atomics.load(arrived, 0) < openers * (round + 1));
        openDatabase(file, host)[Symbol.dispose]();
      }
    }).catch((error) => process.nextTick(() => { throw error; }));`;
  const workerData = {
    module: new URL('./database.ts', import.meta.url).href,
    host,
    files: Array.from({ length: 100 }, (_, n) => join(directory, `${n}.db`)),
    arrived: new Int32Array(new SharedArrayBuffer(4)),
    openers,
  };
  const workers = Array.from({ length: openers }, () => new Worker(script, { eval: true, workerData }));
  try {
    for (const [code] of await Promise.all(workers.map((worker) => once(worker, 'exit')))) expect(code).toBe(0);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    rmSync(directory, { recursive: true });
  }
});

it('forgets old changes, says from where on, and keeps the log bounded', () => {
  using opened = openTemporary();
  opened.db.exec('pragma synchronous = off');
  const operations = new EmbeddedOperations(opened.db, () => 0);
  for (let n = 0; n < 11_000; n++) operations.swap(`key/${n % 7}`, String(n), n < 7 ? 'absent' : BigInt(n - 6), undefined);
  const { changes } = opened.db.prepare('select count(*) as changes from change').get() as { changes: number };
  expect(changes).toBeGreaterThan(9_000);
  expect(changes).toBeLessThanOrEqual(10_256);
  const late = operations.watch('key', 5n);
  expect(late).toMatchObject({ revision: 11_000n, events: [{ type: 'snapshot', reason: 'compacted' }] });
  expect(operations.watch('key', 10_990n)).toMatchObject({ events: Array.from({ length: 7 }, () => ({ type: 'put' })) });
  expect(operations.watch('key', 11_000n)).toBe('wait');
});

it('ends a session at its deadline for all who look, whoever clears it away', () => {
  using opened = openTemporary();
  let now = 1_000;
  const operations = new EmbeddedOperations(opened.db, () => now);
  operations.openSession('s', 'name', 500);
  const place = operations.enqueue('queue', 'write', 's');
  if (place === 'session-lost') throw new Error('lost');
  const swapped = operations.swap('bound', 'x', 'absent', 's');
  now = 1_400;
  expect(operations.renewSession('s')).toBe(true);
  now = 1_899;
  expect([operations.isSessionAlive('s'), operations.queue('queue').length, operations.untilGone(place)]).toEqual([true, 1, 'wait']);
  now = 1_900;
  expect([operations.isSessionAlive('s'), operations.queue('queue').length, operations.untilGone(place)]).toEqual([false, 0, true]);
  expect([operations.get('bound'), operations.list('bound')]).toEqual([undefined, []]);
  expect(operations.renewSession('s'), 'no second life').toBe(false);
  expect(operations.enqueue('queue', 'write', 's')).toBe('session-lost');
  expect(operations.swap('bound', 'y', (swapped as { revision: bigint }).revision, undefined)).toEqual({
    swapped: false,
    current: undefined,
  });
  expect(operations.swap('bound', 'y', 'absent', undefined)).toMatchObject({ swapped: true });
  expect(operations.nextDeadlineMs()).toBeUndefined();
});

it.each([
  [0x6969, 'NFS'],
  [0x01021997, '9P'],
  [0x65735546, 'FUSE'],
  // As a signed number, which statfs gives on some machines.
  [0xff534d42 | 0, 'CIFS'],
])('refuses the file system %d (%s)', (type, name) => expect(fileSystemRefused(type)).toBe(name));

it.each([
  ['ext4', 0xef53],
  ['xfs', 0x58465342],
  ['btrfs', 0x9123683e],
  ['tmpfs', 0x01021994],
  ['overlayfs', 0x794c7630],
])('takes %s', (_, type) => expect(fileSystemRefused(type)).toBeUndefined());
