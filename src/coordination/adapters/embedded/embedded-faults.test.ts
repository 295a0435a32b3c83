import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { createClock } from '../../../runtime/clock.ts';
import type { CoordinationStore, OwnTicket } from '../../store.ts';
import { open } from './index.ts';
import { inspectStore } from './inspect.ts';

const clock = createClock();
const runtime = { clock, random: { next: () => 0.5 }, logger: silentLogger };
const ttlMs = 1_000;

let directory: string;
let file: string;
let stack: AsyncDisposableStack;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'holdfast-embedded-'));
  stack.defer(() => rm(directory, { recursive: true }));
  file = join(directory, 'store.db');
});
afterEach(() => stack.disposeAsync());

const openHere = async (): Promise<CoordinationStore> => stack.use(await open(file, runtime));

/** Changes the file behind the store's back. */
function tamper(sql: string): void {
  using db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec(sql);
}

/** Another process that has the file locked for writing; resolves once it has. */
async function lockFromOutside(): Promise<ChildProcess> {
  const script = `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(process.argv[1], { timeout: 5000 });
    db.exec('begin immediate'); db.exec("update store set revision = revision + 1000"); console.log('locked'); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  stack.defer(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

describe('another process stopped inside a transaction', () => {
  it('delays writes, not the loop and not what only reads; and its death frees the file at once', { timeout: 60_000 }, async () => {
    const store = await openHere();
    const session = stack.use(await store.openSession({ ttlMs, name: 'holder' }));
    await store.swap('lasting', 'x', 'absent');
    const peer = await lockFromOutside();
    peer.kill('SIGSTOP');
    let turns = 0;
    const counting = new AbortController();
    const loop = (async () => {
      for (; !counting.signal.aborted; turns++) await clock.sleep(10);
    })();
    const write = store.swap('stuck', 'x', 'absent');
    expect((await store.get('lasting'))?.value).toBe('x');
    await expect(write).rejects.toMatchObject({ code: 'COORD_UNREACHABLE', retryable: true });
    counting.abort();
    await loop;
    expect(turns, 'the loop went on').toBeGreaterThan(50);
    expect(session.signal.aborted, 'it could not be renewed').toBe(true);
    const next = store.openSession({ ttlMs, name: 'next' });
    peer.kill('SIGKILL');
    stack.use(await next);
    expect(await store.get('stuck'), 'given up means not done later').toBeUndefined();
    expect((await store.swap('stuck', 'x', 'absent')).swapped).toBe(true);
    expect(await store.isSessionAlive(session.id)).toBe(false);
  });
});

describe('a restart of the machine', () => {
  it('ends all sessions, keeps what lasts, and never repeats a token or revision', async () => {
    const before = await open(file, runtime);
    const session = await before.openSession({ ttlMs: 60_000, name: 'before' });
    const place = await before.enqueue('queue', 'write', session);
    await before.swap('bound', 'x', 'absent', { session });
    const lasting = await before.swap('lasting', 'x', 'absent');
    if (!lasting.swapped) throw new Error('lost');
    tamper("update store set boot_id = 'an earlier one'");
    const after = await openHere();
    expect(await after.isSessionAlive(session.id)).toBe(false);
    expect(await after.get('bound')).toBeUndefined();
    expect(await after.queue('queue')).toEqual([]);
    expect(await after.get('lasting')).toMatchObject({ value: 'x', revision: lasting.revision });
    const next = stack.use(await after.openSession({ ttlMs, name: 'after' }));
    // More than the earlier start can have given out and lost in the crash.
    expect((await after.enqueue('queue', 'write', next)).token - place.token).toBeGreaterThan(4_000_000_000n);
    await before[Symbol.asyncDispose]();
  });
});

describe('a file that is not for this store', () => {
  it.each([
    [
      'of another machine',
      async () => {
        await (await open(file, runtime))[Symbol.asyncDispose]();
        tamper("update store set boot_id = 'another', machine = 'another machine'");
      },
      'COORD_UNSUITABLE',
      'belongs to the machine',
    ],
    [
      'of a later version',
      async () => {
        await (await open(file, runtime))[Symbol.asyncDispose]();
        tamper('pragma user_version = 99');
      },
      'COORD_UNSUITABLE',
      'version 99',
    ],
    ['text', () => writeFile(file, 'this is a letter to my aunt, not a database\n'.repeat(100)), 'COORD_UNSUITABLE', 'not a database'],
    ['a database of something else', async () => tamper('create table aunt (name text)'), 'COORD_UNSUITABLE', 'something else'],
    ['a directory', () => mkdir(file), 'COORD_UNSUITABLE', 'EISDIR'],
    ['a link', () => symlink('elsewhere', file), 'COORD_UNSUITABLE', 'ELOOP'],
  ])('is refused and left alone: %s', async (_, make, code, message) => {
    await make();
    const before = await stat(file).catch(() => undefined);
    await expect(open(file, runtime)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect((await stat(file).catch(() => undefined))?.mtimeMs).toBe(before?.mtimeMs);
  });

  it('needs a directory that is there', async () => {
    file = join(directory, 'missing', 'store.db');
    await expect(open(file, runtime)).rejects.toMatchObject({ code: 'COORD_UNSUITABLE', hint: expect.stringContaining('directory') });
    expect((await inspectStore(file)).findings).toMatchObject([{ level: 'problem' }]);
  });
});

it('is readable by its owner alone', async () => {
  const store = await openHere();
  await store.swap('a', 'secret', 'absent');
  for (const name of [file, `${file}-wal`, `${file}-shm`]) expect((await stat(name)).mode & 0o777, name).toBe(0o600);
});

it('tells doctor of a file that others may change', async () => {
  expect((await inspectStore(file)).findings[0]).toMatchObject({ level: 'ok', message: expect.stringContaining('will be made') });
  await openHere();
  expect((await inspectStore(file)).findings[0]).toMatchObject({ level: 'ok', message: expect.stringContaining('is there') });
  await chmod(file, 0o666);
  expect((await inspectStore(file)).findings[0]).toMatchObject({ level: 'warning' });
});

describe('a file replaced under it', () => {
  it.each([
    ['deleted', () => rm(file)],
    ['moved away', () => rename(file, `${file}.old`)],
  ])('ends sessions and goes on with the new one: %s', { timeout: 60_000 }, async (_, replace) => {
    const store = await openHere();
    const session = stack.use(await store.openSession({ ttlMs, name: 'before' }));
    const place = await store.enqueue('queue', 'write', session);
    const gone = store.untilGone(place, { signal: new AbortController().signal });
    await replace();
    await gone;
    while (!session.signal.aborted) await clock.sleep(10);
    expect(await store.isSessionAlive(session.id)).toBe(false);
    stack.use(await store.openSession({ ttlMs, name: 'after' }));
    expect((await store.swap('again', 'x', 'absent')).swapped).toBe(true);
  });
});

it('survives its worker: what is too much for it fails, and the next call works', { timeout: 60_000 }, async () => {
  const store = await openHere();
  const session = stack.use(await store.openSession({ ttlMs: 10_000, name: 'through' }));
  const value = 'x'.repeat(256 * 1024);
  for (let n = 0; n < 400; n++) await store.swap(`big/${n}`, value, 'absent');
  await expect(store.list('big')).rejects.toMatchObject({ code: 'COORD_UNREACHABLE', retryable: true });
  expect((await store.get('big/7'))?.value).toBe(value);
  expect(session.signal.aborted).toBe(false);
  expect(await store.isSessionAlive(session.id)).toBe(true);
});

it('gives a reader that fell behind what is kept the present state', async () => {
  const store = await openHere();
  const events = store.watch('a', { signal: new AbortController().signal })[Symbol.asyncIterator]();
  expect((await events.next()).value).toEqual({ type: 'snapshot', entries: [], reason: 'start' });
  await store.swap('a/1', 'x', 'absent');
  await store.swap('a/2', 'x', 'absent');
  tamper('delete from change; update store set compacted = revision');
  const { value } = await events.next();
  expect(value).toMatchObject({ type: 'snapshot', reason: 'compacted', entries: [{ key: 'a/1' }, { key: 'a/2' }] });
  await store.swap('a/3', 'x', 'absent');
  expect((await events.next()).value).toMatchObject({ type: 'put', entry: { key: 'a/3' } });
  await events.return?.();
});

it('undoes what was given up but done all the same', async () => {
  const store = await openHere();
  const session = stack.use(await store.openSession({ ttlMs: 10_000, name: 'session' }));
  for (let n = 0; n < 30; n++) {
    const abort = new AbortController();
    const calls = [
      store.enqueue('queue', 'write', session, { signal: abort.signal }),
      store.openSession({ ttlMs: 3_600_000, name: 'given up', signal: abort.signal }).then((kept) => kept.close()),
    ];
    if (n % 3 > 0) await clock.sleep(n % 3);
    abort.abort(new Error('given up'));
    const [place] = await Promise.allSettled(calls);
    if (place!.status === 'fulfilled') await store.leave(place!.value as OwnTicket);
  }
  for (let n = 0; n < 100 && (await store.queue('queue')).length > 0; n++) await clock.sleep(20);
  expect(await store.queue('queue')).toEqual([]);
  using db = new DatabaseSync(file, { readOnly: true });
  expect(db.prepare('select name from session').all()).toEqual([{ name: 'session' }]);
});
