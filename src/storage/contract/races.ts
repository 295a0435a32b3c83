import { expect, it } from 'vitest';
import type { Location } from '../location.ts';
import { eachOf, expectSame, freshKey, keysOf, type LocationHarness, noise, outcomes, read, signal, text } from './harness.ts';

const writersAtOnce = 16;
const rounds = 5;

export function describeRaces(harness: LocationHarness): void {
  it('creates once what is to be created', async () => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('first'), { signal, ifAbsent: true });
    await expect(location.put(key, text('second'), { signal, ifAbsent: true })).rejects.toMatchObject({
      code: 'STORAGE_EXISTS',
      retryable: false,
    });
    expect(await read(location, key)).toBe('first');
    await location.put(key, text('third'), { signal });
    expect(await read(location, key)).toBe('third');
    await expect(location.put(key, text('fourth'), { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
  });

  it('lets one of many creators win, where it promises so, and never mixes them', async () => {
    await using clients = new AsyncDisposableStack();
    const locations: Location[] = [];
    for (let n = 0; n < 4; n += 1) locations.push(clients.use(await harness.open()));
    for (let round = 0; round < rounds; round += 1) {
      const key = freshKey();
      const data = Array.from({ length: writersAtOnce }, (_, n) => `writer ${n} `.repeat(n * 500 + 1));
      const results = await outcomes(
        data.map((content, n) => locations[n % locations.length]!.put(key, text(content), { signal, ifAbsent: true })),
      );
      const winners = results.flatMap((result, n) => (result === 'done' ? [n] : []));
      expect(
        results.filter((result) => result !== 'done' && result !== 'STORAGE_EXISTS'),
        'others are told why',
      ).toEqual([]);
      if (locations[0]!.capabilities.conditionalCreate) expect(winners).toHaveLength(1);
      expect(winners.length).toBeGreaterThan(0);
      const found = await read(locations[0]!, key);
      expect(
        winners.map((n) => data[n]),
        'what is there is a winner’s',
      ).toContain(found);
    }
  });

  it('shows readers the old object or the new one while it is replaced', { timeout: 60_000 }, async () => {
    await using writer = await harness.open();
    await using reader = await harness.open();
    const key = freshKey();
    const versions = [3, 300_000, 70_000].map((sizeBytes, n) => new Uint8Array(sizeBytes).fill(n + 1));
    await writer.put(key, [versions[0]!], { signal });
    const done = new AbortController();
    const reading = (async () => {
      let seen = 0;
      for (; !done.signal.aborted; seen += 1) {
        const found = await reader.get(key, { signal });
        expectSame(found, versions[found[0]! - 1]!, 'one version, whole');
      }
      return seen;
    })();
    for (let round = 0; round < 12; round += 1) await writer.put(key, [versions[round % 3]!], { signal });
    done.abort();
    expect(await reading).toBeGreaterThan(0);
  });

  it('does many things at once without mixing them up', { timeout: 60_000 }, async () => {
    await using location = await harness.open();
    const root = freshKey();
    const objects = Array.from({ length: 48 }, (_, n) => ({ key: `${root}/${n % 5}/${n}`, data: noise((n * 7919) % 100_000) }));
    await Promise.all(
      objects.map(async ({ key, data }, n) => {
        await location.put(key, [data], { signal });
        expectSame(await location.get(key, { signal }), data);
        if (data.byteLength > 10) expectSame(await location.get(key, { signal, range: { offset: 5, sizeBytes: 5 } }), data.subarray(5, 10));
        expect((await location.stat(key, { signal }))?.sizeBytes).toBe(data.byteLength);
        if (n % 2 === 1) await location.remove(key, { signal });
      }),
    );
    const left = objects.filter((_, n) => n % 2 === 0);
    expect(await keysOf(location, `${root}/`)).toEqual(left.map(({ key }) => key).toSorted());
    await eachOf(left, 8, async ({ key, data }) => expectSame(await location.get(key, { signal }), data));
  });

  it('lets many remove the same object', async () => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('x'), { signal });
    expect(await outcomes(Array.from({ length: 8 }, () => location.remove(key, { signal })))).toEqual(
      Array.from({ length: 8 }, () => 'done'),
    );
    expect(await location.stat(key, { signal })).toBeUndefined();
  });
}
