import { expect, it } from 'vitest';
import type { CoordinationStore, SwapResult } from '../store.ts';
import { KEY_LENGTH_MAX, VALUE_BYTES_MAX } from '../key.ts';
import { freshName, type StoreHarness } from './harness.ts';

const badKeys = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  'a/.',
  '...',
  'ü',
  'a b',
  'a\n',
  'a\0b',
  'a:b',
  'a%2fb',
  '*',
  'k'.repeat(KEY_LENGTH_MAX + 1),
];

async function swapped(result: Promise<SwapResult>): Promise<bigint> {
  const answer = await result;
  if (!answer.swapped) throw new Error('the swap was lost');
  return answer.revision;
}

export function describeKeys(harness: StoreHarness): void {
  it('creates a key only where there is none, and reads it back', async () => {
    await using store = await harness.open();
    const key = freshName();
    expect(await store.get(key)).toBeUndefined();
    const revision = await swapped(store.swap(key, 'one', 'absent'));
    expect(await store.get(key)).toEqual({ key, value: 'one', revision, sessionId: undefined });
    expect(await store.swap(key, 'two', 'absent')).toEqual({
      swapped: false,
      current: { key, value: 'one', revision, sessionId: undefined },
    });
    expect((await store.get(key))?.value).toBe('one');
  });

  it('changes a key only from the revision that was read', async () => {
    await using store = await harness.open();
    const key = freshName();
    const first = await swapped(store.swap(key, 'one', 'absent'));
    const second = await swapped(store.swap(key, 'two', first));
    expect(second).toBeGreaterThan(first);
    expect(await store.swap(key, 'three', first)).toEqual({
      swapped: false,
      current: { key, value: 'two', revision: second, sessionId: undefined },
    });
    expect((await store.get(key))?.revision).toBe(second);
    expect(await swapped(store.swap(key, 'two', second)), 'the same value again is a change').toBeGreaterThan(second);
  });

  it('tells that the key is gone when a revision was expected', async () => {
    await using store = await harness.open();
    const key = freshName();
    expect(await store.swap(key, 'x', 1n)).toEqual({ swapped: false, current: undefined });
    expect(await store.get(key)).toBeUndefined();
    const revision = await swapped(store.swap(key, 'x', 'absent'));
    await store.remove(key, revision);
    expect(await store.swap(key, 'y', revision)).toEqual({ swapped: false, current: undefined });
  });

  it('never uses a revision again: across keys, after deletion, after re-creation', async () => {
    await using store = await harness.open();
    const [a, b] = [freshName(), freshName()];
    let last = 0n;
    for (let round = 0; round < 3; round++) {
      for (const key of [a, b]) {
        const created = await swapped(store.swap(key, 'x', 'absent'));
        expect(created).toBeGreaterThan(last);
        last = await swapped(store.swap(key, 'y', created));
        expect(last).toBeGreaterThan(created);
      }
      for (const key of [a, b]) {
        const entry = await store.get(key);
        expect(await store.remove(key, entry!.revision)).toBe(true);
      }
    }
    const again = await swapped(store.swap(a, 'x', 'absent'));
    expect(again).toBeGreaterThan(last);
    expect((await store.swap(a, 'z', last)).swapped, 'a revision from before the re-creation').toBe(false);
  });

  it('removes only the revision that was read', async () => {
    await using store = await harness.open();
    const key = freshName();
    expect(await store.remove(key, 1n)).toBe(false);
    const first = await swapped(store.swap(key, 'one', 'absent'));
    const second = await swapped(store.swap(key, 'two', first));
    expect(await store.remove(key, first)).toBe(false);
    expect((await store.get(key))?.value).toBe('two');
    expect(await store.remove(key, second)).toBe(true);
    expect(await store.remove(key, second)).toBe(false);
    expect(await store.get(key)).toBeUndefined();
  });

  it('lists what is below a prefix, by key, and not its neighbours', async () => {
    await using store = await harness.open();
    const root = freshName();
    const keys = ['a', 'a/b', 'a/b/c', 'a/bb', 'a/B', 'a/0', 'ab', 'a-b', 'a.b', 'a0', 'A/b', 'b/a'].map((key) => `${root}/${key}`);
    const revisions = new Map<string, bigint>();
    for (const key of keys) revisions.set(key, await swapped(store.swap(key, `value of ${key}`, 'absent')));
    const below = ['a/0', 'a/B', 'a/b', 'a/b/c', 'a/bb'].map((key) => `${root}/${key}`);
    expect(await store.list(`${root}/a`)).toEqual(
      below.map((key) => ({ key, value: `value of ${key}`, revision: revisions.get(key), sessionId: undefined })),
    );
    expect((await store.list(root)).map((entry) => entry.key)).toEqual(keys.toSorted());
    expect(await store.list(`${root}/nothing`)).toEqual([]);
    expect(await store.list(`${root}/a/b/c`)).toEqual([]);
  });

  it('lists hundreds of keys', async () => {
    await using store = await harness.open();
    const root = freshName();
    const keys = Array.from({ length: 300 }, (_, n) => `${root}/${String(n).padStart(4, '0')}`);
    await Promise.all(keys.map((key) => swapped(store.swap(key, 'x'.repeat(100), 'absent'))));
    expect((await store.list(root)).map((entry) => entry.key)).toEqual(keys);
  });

  it('takes names that mean something to JavaScript or to a file system as any other', async () => {
    await using store = await harness.open();
    const root = freshName();
    const names = ['__proto__', 'constructor', 'toString', 'a..b', '.hidden', '-', '_', '0', 'k'.repeat(KEY_LENGTH_MAX - root.length - 1)];
    for (const name of names) {
      expect(await store.get(`${root}/${name}`)).toBeUndefined();
      await swapped(store.swap(`${root}/${name}`, name, 'absent'));
      expect((await store.get(`${root}/${name}`))?.value).toBe(name);
    }
    expect((await store.list(root)).map((entry) => entry.value)).toEqual(names.toSorted());
  });

  it.each(badKeys.map((key) => ({ key, shown: JSON.stringify(key).slice(0, 20) })))(
    'refuses the key $shown in every call',
    async ({ key }) => {
      await using store = await harness.open();
      await using session = await store.openSession({ ttlMs: harness.ttlMs, name: 'bad-key' });
      const refusal = { code: 'COORD_BAD_KEY' };
      await expect(store.get(key)).rejects.toMatchObject(refusal);
      await expect(store.list(key)).rejects.toMatchObject(refusal);
      await expect(store.swap(key, '', 'absent')).rejects.toMatchObject(refusal);
      await expect(store.swap(key, '', 'absent', { session })).rejects.toMatchObject(refusal);
      await expect(store.remove(key, 1n)).rejects.toMatchObject(refusal);
      await expect(store.enqueue(key, 'write', session)).rejects.toMatchObject(refusal);
      await expect(store.queue(key)).rejects.toMatchObject(refusal);
      await expect(store.watch(key, { signal: new AbortController().signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject(
        refusal,
      );
    },
  );

  it('keeps every text up to the limit exactly', async () => {
    await using store = await harness.open();
    const texts = [
      '',
      '\0',
      'a\0b',
      '\r\n',
      '"\\\'',
      'ü€😀',
      '\u2028',
      ' padded ',
      'x'.repeat(VALUE_BYTES_MAX),
      '😀'.repeat(VALUE_BYTES_MAX / 4),
    ];
    for (const text of texts) {
      const key = freshName();
      await swapped(store.swap(key, text, 'absent'));
      expect((await store.get(key))?.value === text, `the value ${JSON.stringify(text.slice(0, 10))} of ${text.length}`).toBe(true);
    }
  });

  it('refuses values beyond the limit or that are no text, and writes nothing', async () => {
    await using store = await harness.open();
    for (const value of ['x'.repeat(VALUE_BYTES_MAX + 1), '€'.repeat(VALUE_BYTES_MAX / 3 + 1), 'half \ud800 pair']) {
      const key = freshName();
      await expect(store.swap(key, value, 'absent')).rejects.toMatchObject({ code: 'COORD_BAD_VALUE' });
      expect(await store.get(key)).toBeUndefined();
    }
  });

  it('lets exactly one of many clients create a key', async () => {
    await using clients = await openMany(harness, 8);
    for (let round = 0; round < 5; round++) {
      const key = freshName();
      const results = await Promise.all(clients.stores.map((store, n) => store.swap(key, `client ${n}`, 'absent')));
      const winners = results.flatMap((result, n) => (result.swapped ? [n] : []));
      expect(winners).toHaveLength(1);
      const value = `client ${winners[0]}`;
      for (const result of results) if (!result.swapped) expect(result.current?.value).toBe(value);
      for (const store of clients.stores) expect((await store.get(key))?.value).toBe(value);
    }
  });

  it('counts exactly when many clients count at once', async () => {
    await using clients = await openMany(harness, 4);
    const key = freshName();
    await swapped(clients.stores[0]!.swap(key, '0', 'absent'));
    const countTo = async (store: CoordinationStore, times: number): Promise<void> => {
      for (let done = 0; done < times;) {
        const entry = await store.get(key);
        const result = await store.swap(key, String(Number(entry!.value) + 1), entry!.revision);
        if (result.swapped) done++;
      }
    };
    await Promise.all(clients.stores.map((store) => countTo(store, 15)));
    expect((await clients.stores[0]!.get(key))?.value).toBe('60');
  });

  it('shows one client at once what another wrote', async () => {
    await using writer = await harness.open();
    await using reader = await harness.open();
    const key = freshName();
    let revision: bigint | 'absent' = 'absent';
    for (let n = 0; n < 25; n++) {
      revision = await swapped(writer.swap(key, String(n), revision));
      expect(await reader.get(key)).toMatchObject({ value: String(n), revision });
      expect((await reader.swap(key, 'stale', revision - 1n)).swapped).toBe(false);
    }
  });
}

async function openMany(harness: StoreHarness, count: number): Promise<{ stores: CoordinationStore[] } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const stores: CoordinationStore[] = [];
  for (let n = 0; n < count; n++) stores.push(stack.use(await harness.open()));
  return { stores, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
