import { expect, test } from 'vitest';
import { clientsOf, packOf, signal, toys } from '../testing/kit.ts';
import { createMirror } from './mirror.ts';
import { verifyResticKey } from './restic-keys.ts';

const { key, bytes } = packOf(1000);

test('each copy is what was put, and nothing else is written while all are there', async () => {
  const { parts, runtime } = toys(2);
  await using mirror = createMirror('both', parts, runtime);
  await mirror.put(key, [bytes], { signal });
  for (const part of parts) {
    expect([...part.objects.keys()]).toEqual([key]);
    expect(part.objects.get(key)!.bytes).toEqual(bytes);
  }
  expect(mirror.status()).toMatchObject({ state: 'ok', behindObjects: 0 });
});

test('a part that was away is caught up in the background, and loses what was removed', async () => {
  const { parts, runtime, time } = toys(2);
  const [here, away] = parts;
  await using mirror = createMirror('both', parts, runtime);
  const old = packOf(10, 2);
  await mirror.put(old.key, [old.bytes], { signal });
  away!.away = true;
  await mirror.put(key, [bytes], { signal });
  await mirror.remove(old.key, { signal });
  expect(mirror.status()).toMatchObject({
    state: 'degraded',
    parts: [{ state: 'ok' }, { state: 'away', behindObjects: 2, behindBytes: 1000 }],
  });
  expect(here!.notes).toHaveLength(2);
  away!.away = false;
  await time.advance(120_000);
  expect([...away!.objects.keys()]).toEqual([key]);
  expect(here!.notes).toEqual([]);
  expect(mirror.status()).toMatchObject({ state: 'ok', behindObjects: 0, behindBytes: 0 });
});

test('a part that was replaced by an empty one while nobody looked is given everything, and status tells until then', async () => {
  const { parts, runtime, time } = toys(3);
  const packs = Array.from({ length: 20 }, (_, n) => packOf(100, n));
  {
    await using mirror = createMirror('all', parts, runtime);
    for (const pack of packs) await mirror.put(pack.key, [pack.bytes], { signal });
    await mirror.put('config', [bytes], { signal });
  }
  const replaced = parts[1]!;
  replaced.objects.clear();
  await using mirror = createMirror('all', parts, runtime);
  expect(await mirror.get(packs[0]!.key, { signal })).toEqual(packs[0]!.bytes);
  expect(mirror.status()).toMatchObject({ state: 'degraded', parts: [{ state: 'ok' }, { state: 'degraded' }, { state: 'ok' }] });
  await mirror.remove(packs[1]!.key, { signal });
  await time.advance(120_000);
  expect(mirror.status()).toMatchObject({ state: 'ok' });
  expect([...replaced.objects.keys()].toSorted()).toEqual([...parts[0]!.objects.keys()].toSorted());
  expect(replaced.objects.size).toBe(20);
});

test('another process finds what was noted, though the first one is gone', async () => {
  const all = toys(3);
  const [, , away] = all.parts;
  {
    await using mirror = createMirror('all', all.parts, all.runtime);
    await mirror.put(key, [bytes], { signal });
    away!.away = true;
    await mirror.remove(key, { signal });
  }
  const others = clientsOf(all);
  await using mirror = createMirror('all', others, all.runtime);
  expect(await mirror.stat(key, { signal })).toBeUndefined();
  await expect(mirror.get(key, { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  expect(await Array.fromAsync(mirror.list('', { signal }))).toEqual([]);
  expect(await mirror.catchUp({ signal })).toEqual({ done: 1, open: [] });
  expect(away!.objects.size).toBe(0);
});

test('a read passes over a damaged copy and has it healed', async () => {
  const { parts, runtime, time } = toys(2);
  await using mirror = createMirror('both', parts, runtime);
  await mirror.put(key, [bytes], { signal });
  parts[0]!.rot(key, 500);
  expect(await mirror.get(key, { signal })).toEqual(bytes);
  await time.advance(10_000);
  expect(parts[0]!.objects.get(key)!.bytes).toEqual(bytes);
  parts[0]!.objects.delete(key);
  expect(await mirror.get(key, { signal })).toEqual(bytes);
  await time.advance(10_000);
  expect(parts[0]!.objects.get(key)!.bytes).toEqual(bytes);
});

test('is refused where too few have it, and not known to be absent where those that know are away', async () => {
  const { parts, runtime } = toys(3);
  await using mirror = createMirror('all', parts, runtime);
  await mirror.put(key, [bytes], { signal });
  parts[1]!.away = true;
  parts[2]!.away = true;
  await expect(mirror.put('x', [bytes], { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
  expect(await mirror.get(key, { signal })).toEqual(bytes);
  parts[0]!.objects.delete(key);
  await expect(mirror.get(key, { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
});

test('is known to be absent where enough of those that had to have it answer, or who is away is known to have missed its removal', async () => {
  const [three, two] = [toys(3), toys(2)];
  await using mostly = createMirror('three', three.parts, three.runtime);
  await using both = createMirror('two', two.parts, two.runtime);
  for (const mirror of [mostly, both]) await mirror.put(key, [bytes], { signal });
  for (const { parts } of [three, two]) parts.at(-1)!.away = true;
  expect(await mostly.stat('other', { signal })).toBeUndefined();
  await both.remove(key, { signal });
  expect(await both.stat(key, { signal })).toBeUndefined();
  // The other one of two may have been given it meanwhile, by somebody who saw only that one: its note of it would be there, too.
  await expect(both.stat('other', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
});

test('a list that is known to lack something fails', async () => {
  const { parts, runtime } = toys(2);
  await using mirror = createMirror('both', parts, runtime);
  parts[1]!.away = true;
  await mirror.put(key, [bytes], { signal });
  parts[0]!.away = true;
  parts[1]!.away = false;
  await expect(Array.fromAsync(mirror.list('', { signal }))).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
});

test('notes are bounded: then writing goes on, removing is refused, and all is compared', async () => {
  const { parts, runtime, time } = toys(2);
  await using mirror = createMirror('both', parts, runtime, { notesMax: 3 });
  const packs = Array.from({ length: 6 }, (_, n) => packOf(100, n + 10));
  parts[1]!.away = true;
  for (const pack of packs) await mirror.put(pack.key, [pack.bytes], { signal });
  expect(parts[0]!.notes.filter((note) => note.includes('/behind/'))).toHaveLength(3);
  await expect(mirror.remove(packs[0]!.key, { signal })).rejects.toMatchObject({ code: 'STORAGE_BEHIND', retryable: true });
  parts[1]!.away = false;
  await time.advance(200_000);
  expect([...parts[1]!.objects.keys()].toSorted()).toEqual(packs.map((pack) => pack.key).toSorted());
  expect(parts[0]!.notes).toEqual([]);
  await mirror.remove(packs[0]!.key, { signal });
});

test('one of two creators wins while a part is away, where more than half must have it', async () => {
  const all = toys(3);
  const others = clientsOf(all);
  await using one = createMirror('all', all.parts, all.runtime);
  await using other = createMirror('all', others, all.runtime);
  expect(one.capabilities.conditionalCreate).toBe(true);
  // The first part is away for one of them only.
  others[0]!.away = true;
  const results = await Promise.allSettled([
    one.put('config', [bytes], { signal, ifAbsent: true }),
    other.put('config', [bytes.slice(1)], { signal, ifAbsent: true }),
  ]);
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
  await using two = createMirror('two', toys(2).parts, all.runtime);
  expect(two.capabilities.conditionalCreate, 'one of two is not more than half').toBe(false);
});

test('nobody takes names that can not be told apart, or keys that are its own', async () => {
  const { parts, runtime } = toys(2);
  expect(() => createMirror('a b', parts, runtime)).toThrow(RangeError);
  expect(() => createMirror('x', [parts[0]!, parts[0]!], runtime)).toThrow('different names');
  expect(() => createMirror('x', parts, runtime, { writeMin: 3 })).toThrow(RangeError);
  await using mirror = createMirror('both', parts, runtime);
  await expect(mirror.put('.holdfast/both/x', [bytes], { signal })).rejects.toMatchObject({ code: 'STORAGE_BAD_KEY' });
});

test('a mirror of a mirror keeps the notes of both apart', async () => {
  const { parts, runtime, time } = toys(3);
  await using outer = createMirror('outer', [createMirror('inner', parts.slice(0, 2), runtime), parts[2]!], runtime);
  parts[1]!.away = true;
  parts[2]!.away = true;
  await outer.put(key, [bytes], { signal });
  expect(outer.status().parts[0]).toMatchObject({ name: 'inner', parts: [{}, { behindObjects: 2 }] });
  parts[1]!.away = false;
  parts[2]!.away = false;
  await time.advance(300_000);
  for (const part of parts) expect([...part.objects.keys()]).toEqual([key]);
});

test('the content is told by the keys of a restic repository', () => {
  expect(verifyResticKey(key, bytes)).toBe(true);
  expect(verifyResticKey(key, bytes.slice(1))).toBe(false);
  expect(verifyResticKey(`repos/a/${key}`, bytes)).toBe(true);
  expect(verifyResticKey(`snapshots/${key.slice(8)}`, bytes)).toBe(true);
  expect(verifyResticKey('config', bytes)).toBeUndefined();
  expect(verifyResticKey(`other/${key.slice(8)}`, bytes)).toBeUndefined();
});

test('a part that hangs delays a write for a while and a read hardly', async () => {
  const { parts, runtime, time } = toys(3);
  await using mirror = createMirror('all', parts, runtime, { hedgeMs: 2_000, stragglerMs: 5_000 });
  await mirror.put('before', [bytes], { signal });
  parts[0]!.hangs = true;
  let doneMs = 0;
  const put = mirror.put(key, [bytes], { signal }).then(() => (doneMs = time.nowMs));
  await time.advance(4_999);
  expect(doneMs).toBe(0);
  await time.advance(10);
  expect(doneMs).toBe(5_000);
  await put;
  expect(mirror.status().parts[0]).toMatchObject({ state: 'degraded', behindObjects: 1, behindBytes: 1000 });
  const begunMs = time.nowMs;
  const got = mirror.get('before', { signal }).then((found) => [found.length, time.nowMs - begunMs]);
  await time.advance(2_001);
  expect(await got).toEqual([1000, 2_000]);
  parts[0]!.hangs = false;
  await time.advance(120_000);
  expect(parts[0]!.objects.get(key)!.bytes).toEqual(bytes);
});

test('an abort ends a call with its reason, whatever hangs', async () => {
  const { parts, runtime } = toys(2);
  await using mirror = createMirror('both', parts, runtime);
  await mirror.put('before', [bytes], { signal });
  for (const part of parts) part.hangs = true;
  const reason = new Error('not wanted');
  for (const call of [
    (own: AbortSignal) => mirror.put(key, [bytes], { signal: own }),
    (own: AbortSignal) => mirror.get('before', { signal: own }),
    (own: AbortSignal) => mirror.remove('before', { signal: own }),
    (own: AbortSignal) => Array.fromAsync(mirror.list('', { signal: own })),
  ]) {
    const stop = new AbortController();
    const ended = call(stop.signal);
    stop.abort(reason);
    await expect(ended).rejects.toBe(reason);
  }
});
