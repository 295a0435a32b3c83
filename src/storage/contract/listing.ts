import { expect, it } from 'vitest';
import { collect, eachOf, freshKey, keysOf, type LocationHarness, signal, text } from './harness.ts';

const manyKeysDefault = 1100;
const putsAtOnce = 16;

export function describeListing(harness: LocationHarness): void {
  it('lists what begins with a prefix, each once, with its size, and nothing beside', async () => {
    await using location = await harness.open();
    const root = freshKey();
    for (const name of ['a', 'b/1', 'b/22', 'b/c/333', 'b/c/d/e', 'ba', 'b-', 'b.x/1'])
      await location.put(`${root}/${name}`, text(name), { signal });
    const below = (names: readonly string[]): string[] => names.map((name) => `${root}/${name}`).toSorted();
    expect(await keysOf(location, `${root}/b/`)).toEqual(below(['b/1', 'b/22', 'b/c/333', 'b/c/d/e']));
    expect(await keysOf(location, `${root}/b/c/`)).toEqual(below(['b/c/333', 'b/c/d/e']));
    expect(await keysOf(location, `${root}/a/`)).toEqual([]);
    expect(await keysOf(location, `${root}/none/`)).toEqual([]);
    const all = await collect(location.list(`${root}/`, { signal }));
    expect(all.map(({ key }) => key).toSorted()).toEqual(below(['a', 'b-', 'b.x/1', 'b/1', 'b/22', 'b/c/333', 'b/c/d/e', 'ba']));
    for (const { key, sizeBytes } of all) expect(sizeBytes).toBe(key.length - root.length - 1);
    expect((await keysOf(location, '')).filter((key) => key.startsWith(`${root}/`))).toEqual(all.map(({ key }) => key).toSorted());
  });

  it('agrees with itself on size and time', async () => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(`${key}/one`, text('one'), { signal });
    const [listed] = await collect(location.list(`${key}/`, { signal }));
    const seen = await location.stat(`${key}/one`, { signal });
    expect(listed?.sizeBytes).toBe(seen?.sizeBytes);
    // Some stores tell it by the second in the one and by the millisecond in the other.
    if (listed?.modifiedMs !== undefined && seen?.modifiedMs !== undefined)
      expect(Math.abs(listed.modifiedMs - seen.modifiedMs)).toBeLessThanOrEqual(1000);
  });

  it('lists more than any page holds', { timeout: 120_000 }, async () => {
    await using location = await harness.open();
    const root = freshKey();
    const count = harness.manyKeys ?? manyKeysDefault;
    const keys = Array.from({ length: count }, (_, n) => `${root}/${n % 7}/${n}`);
    await eachOf(keys, putsAtOnce, (key) => location.put(key, text('x'), { signal }));
    expect(await keysOf(location, `${root}/`)).toEqual(keys.toSorted());
    expect(await keysOf(location, `${root}/3/`)).toEqual(keys.filter((key) => key.startsWith(`${root}/3/`)).toSorted());
    // Whoever removes while it lists sees each of them once as well.
    const removed: string[] = [];
    for await (const { key } of location.list(`${root}/`, { signal })) {
      removed.push(key);
      if (removed.length <= 20) await location.remove(key, { signal });
    }
    expect(removed.toSorted()).toEqual(keys.toSorted());
    await eachOf(keys, putsAtOnce, (key) => location.remove(key, { signal }));
    expect(await keysOf(location, `${root}/`)).toEqual([]);
  });

  it('can be left before its end', async () => {
    await using location = await harness.open();
    const root = freshKey();
    for (const name of ['1', '2', '3']) await location.put(`${root}/${name}`, text(name), { signal });
    for await (const { key } of location.list(`${root}/`, { signal })) {
      expect(key.startsWith(root)).toBe(true);
      break;
    }
    expect(await keysOf(location, `${root}/`)).toHaveLength(3);
  });

  it('begins anew each time: what one client puts or removes, another one lists at once', async () => {
    await using one = await harness.open();
    await using other = await harness.open();
    const root = freshKey();
    for (let round = 0; round < 3; round += 1) {
      await one.put(`${root}/${round}`, text('x'), { signal });
      expect(await keysOf(other, `${root}/`)).toEqual([`${root}/${round}`]);
      await other.remove(`${root}/${round}`, { signal });
      expect(await keysOf(one, `${root}/`)).toEqual([]);
    }
  });
}
