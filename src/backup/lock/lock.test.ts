import { beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../core/clock.ts';
import { silentLogger } from '../../core/logger.ts';
import { seededRandom, SimulatedTime } from '../../sim/index.ts';
import { MemoryLocation, type MemoryObjects } from '../../storage/adapters/memory/index.ts';
import { randomSealingKey } from '../crypto/seal.ts';
import type { RepositoryFiles } from '../documents/files.ts';
import type { Owner } from '../machine/owner.ts';
import { acquireLock, type Lock, readLocks, unlock } from './lock.ts';

const { signal } = new AbortController();
const minute = 60_000;
const key = randomSealingKey();

let time: SimulatedTime;
let objects: MemoryObjects;
let away: boolean;
let alive: Set<number>;

beforeEach(() => {
  time = new SimulatedTime();
  objects = new Map();
  away = false;
  alive = new Set([1, 2, 3]);
});

/** A process on a machine of its own, or on the same as others. */
function contextOf(pid: number, hostname = `host${pid}`) {
  const clock = time.clock();
  const runtime = { clock, random: seededRandom(pid), logger: silentLogger };
  const location = new MemoryLocation('memory', runtime, objects);
  const put = location.put.bind(location);
  location.put = async (...call) => {
    if (away) throw new Error('away');
    await put(...call);
  };
  const files: RepositoryFiles = { location, key, version: 2 };
  const owner: Owner = { hostname, username: 'me', pid, uid: 0, gid: 0, isAlive: (one) => alive.has(one) };
  return { files, runtime, owner, clock };
}

async function take(context: ReturnType<typeof contextOf>, exclusive: boolean, waitMs = 0): Promise<Lock> {
  return await settled(acquireLock(context, { exclusive, waitMs, signal }));
}

function bound(clock: Clock): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    bootMs: () => clock.bootMs(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, callback) => clock.after(delayMs, callback),
    sleep: (delayMs, own) => clock.sleep(delayMs, own),
  };
}

/** Lets time pass until something has come of it. */
async function settled<Result>(promise: Promise<Result>): Promise<Result> {
  let done = false;
  const settle = (): void => {
    done = true;
  };
  promise.then(settle, settle);
  await time.runUntil(() => done);
  return await promise;
}

describe('locks', () => {
  test('shared ones live together, an exclusive one lives alone', async () => {
    const [one, two] = [contextOf(1), contextOf(2)];
    const shared = await take(one, false);
    const other = await take(two, false);
    await expect(take(two, true)).rejects.toMatchObject({ code: 'BACKUP_LOCKED', retryable: true });
    await shared[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    const exclusive = await take(two, true);
    await expect(take(one, false)).rejects.toThrow(/locked exclusively by process 2 of me on host2 since/);
    await expect(take(one, true)).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
    await exclusive[Symbol.asyncDispose]();
    expect(objects.size).toBe(0);
  });

  test('of two that begin at once, at most one is exclusive, and what loses leaves nothing', async () => {
    const both = await settled(
      Promise.allSettled([
        acquireLock(contextOf(1), { exclusive: true, waitMs: 0, signal }),
        acquireLock(contextOf(2), { exclusive: true, waitMs: 0, signal }),
      ]),
    );
    const held = both.filter(({ status }) => status === 'fulfilled');
    expect(held.length).toBeLessThanOrEqual(1);
    expect(objects.size).toBe(held.length);
  });

  test('who waits gets it as soon as it is free', async () => {
    const [one, two] = [contextOf(1), contextOf(2)];
    const held = await take(one, true);
    one.clock.after(10_000, () => void held[Symbol.asyncDispose]());
    const waiting = await take(two, false, minute);
    expect(waiting.exclusive).toBe(false);
  });

  test('it is refreshed, so that others see it fresh for as long as it is held', async () => {
    const [one, two] = [contextOf(1), contextOf(2)];
    const held = await take(one, true);
    const first = held.id;
    await time.advance(3 * 60 * minute);
    expect(held.id).not.toBe(first);
    expect(held.signal.aborted).toBe(false);
    await held.confirm();
    expect(objects.size).toBe(1);
    await expect(take(two, false)).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
    await held[Symbol.asyncDispose]();
    expect(objects.size).toBe(0);
  });

  test('it is lost before others take it for stale when it can not be refreshed', async () => {
    const one = contextOf(1);
    const held = await take(one, true);
    away = true;
    await time.advance(20 * minute);
    expect(held.signal.aborted).toBe(false);
    await time.advance(9 * minute);
    expect(held.signal.reason).toMatchObject({ code: 'BACKUP_LOCK_LOST' });
    await expect(held.confirm()).rejects.toMatchObject({ code: 'BACKUP_LOCK_LOST' });
  });

  test('it is lost when somebody removed it', async () => {
    const one = contextOf(1);
    const held = await take(one, false);
    expect(await unlock(contextOf(2), { all: true, signal })).toBe(1);
    await time.advance(6 * minute);
    expect(held.signal.reason).toMatchObject({ code: 'BACKUP_LOCK_LOST', message: expect.stringContaining('somebody removed it') });
    expect(objects.size).toBe(0);
  });

  test('what a dead holder left is no hindrance: at once on the same host, after half an hour on another', async () => {
    const [one, same, other] = [contextOf(1, 'here'), contextOf(2, 'here'), contextOf(3, 'there')];
    await take(one, true);
    await expect(take(same, true)).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
    alive.delete(1);
    away = true;
    await expect(take(other, true)).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
    expect(await unlock(other, { all: false, signal })).toBe(0);
    away = false;
    await (await take(same, true))[Symbol.asyncDispose]();
    expect(objects.size).toBe(0);

    alive.add(1);
    const left = await take(one, true);
    away = true;
    await time.advance(31 * minute);
    away = false;
    expect(left.signal.aborted).toBe(true);
    await (await take(other, true))[Symbol.asyncDispose]();
  });

  test('a clock that is wrong takes nobody for dead where the clock of the store can be asked', async () => {
    const [one, two] = [contextOf(1), contextOf(2)];
    const held = await take(one, true);
    const ahead = { ...two.runtime, clock: { ...bound(two.clock), wallMs: () => two.clock.wallMs() + 24 * 60 * minute } };
    await expect(settled(acquireLock({ ...two, runtime: ahead }, { exclusive: true, waitMs: 0, signal }))).rejects.toMatchObject({
      code: 'BACKUP_LOCKED',
    });
    expect(held.id && objects.has(`locks/${held.id}`)).toBe(true);
    expect(objects.size).toBe(1);
    await held[Symbol.asyncDispose]();
  });

  test('what was perhaps written, perhaps not, is removed', async () => {
    const one = contextOf(1);
    const put = one.files.location.put.bind(one.files.location);
    one.files.location.put = async (...call) => {
      await put(...call);
      throw new Error('no answer');
    };
    await expect(take(one, true)).rejects.toThrow('no answer');
    expect(objects.size).toBe(0);
  });

  test('a lock that can not be read hinders, until it is removed by force; an empty one does not', async () => {
    const one = contextOf(1);
    const id = 'ab'.repeat(32);
    await one.files.location.put(`locks/${id}`, [Buffer.from('nonsense')], { signal });
    await one.files.location.put(`locks/${'cd'.repeat(32)}`, [], { signal });
    await expect(take(one, false)).rejects.toMatchObject({ code: 'BACKUP_LOCKED', message: expect.stringContaining(id) });
    expect(await Array.fromAsync(readLocks(one.files, { signal }))).toMatchObject([{ id, problem: expect.any(String) }]);
    expect(await unlock(one, { all: false, signal })).toBe(0);
    expect(await unlock(one, { all: true, signal })).toBe(1);
    await (await take(one, true))[Symbol.asyncDispose]();
  });
});
