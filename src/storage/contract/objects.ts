import { expect, it } from 'vitest';
import { concatBytes } from '../bytes.ts';
import { KEY_LENGTH_MAX } from '../key.ts';
import { eachOf, expectSame, freshKey, keysOf, type LocationHarness, noise, read, signal, text } from './harness.ts';

const bigBytesDefault = 64 * 1024 * 1024;
/** Of the store's clock and ours, in what is said of when an object was written. */
const clocksDifferMsMax = 120_000;

export function describeObjects(harness: LocationHarness): void {
  it('gives back what was put, to every client, in pieces of every odd size', async () => {
    await using writer = await harness.open();
    await using reader = await harness.open();
    for (const sizes of [[], [0], [1], [0, 1, 0], [4095, 1, 1], [32_768], [65_537, 3, 262_144], [1_048_575]]) {
      const key = freshKey();
      const parts = sizes.map(noise);
      const before = parts.map((part) => part.slice());
      await writer.put(key, parts, { signal });
      expect(parts, 'the data is not changed').toEqual(before);
      for (const client of [writer, reader]) {
        expectSame(await client.get(key, { signal }), concatBytes(parts));
        expect(await client.stat(key, { signal })).toMatchObject({ key, sizeBytes: sizes.reduce((a, b) => a + b, 0) });
      }
    }
  });

  it('keeps nothing of the data of a put that has ended, and gives away nothing of its own', async () => {
    await using location = await harness.open();
    const key = freshKey();
    const data = noise(100);
    const put = data.slice();
    await location.put(key, [data], { signal });
    data.fill(0);
    const first = await location.get(key, { signal });
    expectSame(first, put);
    first.fill(0);
    expectSame(await location.get(key, { signal }), put);
  });

  it('reads any part that lies within an object', async () => {
    await using location = await harness.open();
    const key = freshKey();
    const whole = noise(300_001);
    await location.put(key, [whole], { signal });
    const ranges = [
      [0, 1],
      [300_000, 1],
      [0, 300_001],
      [1, 300_000],
      [65_535, 2],
      [32_767, 131_073],
    ] as const;
    await eachOf(ranges, ranges.length, async ([offset, sizeBytes]) => {
      const part = await location.get(key, { signal, range: { offset, sizeBytes } });
      expectSame(part, whole.subarray(offset, offset + sizeBytes), `${sizeBytes} bytes from ${offset} on`);
    });
  });

  it.each([
    ['ends beyond it', 1000, 1],
    ['begins before its end and ends beyond it', 999, 2],
    ['lies far beyond it', 1_000_000, 10],
  ])('says of a part that %s that the object is too short', async (_, offset, sizeBytes) => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, [noise(1000)], { signal });
    await expect(location.get(key, { signal, range: { offset, sizeBytes } })).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' });
  });

  it('says the same of a part of an empty object', async () => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, [], { signal });
    await expect(location.get(key, { signal, range: { offset: 0, sizeBytes: 1 } })).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' });
  });

  it('replaces an object by another, longer or shorter', async () => {
    await using location = await harness.open();
    const key = freshKey();
    for (const sizeBytes of [10, 100_000, 1, 0, 5000]) {
      const data = noise(sizeBytes);
      await location.put(key, [data], { signal });
      expectSame(await location.get(key, { signal }), data);
    }
    expect(await keysOf(location, 'contract/')).toContain(key);
  });

  it('knows nothing of what was never put, or was removed; removing it again is nothing', async () => {
    await using location = await harness.open();
    const key = freshKey();
    const gone = async (): Promise<void> => {
      expect(await location.stat(key, { signal })).toBeUndefined();
      await expect(location.get(key, { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND', retryable: false });
      await expect(location.get(key, { signal, range: { offset: 0, sizeBytes: 1 } })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
      expect(await keysOf(location, `${key}/`)).toEqual([]);
      await location.remove(key, { signal });
    };
    await gone();
    await location.put(key, text('here'), { signal });
    await location.remove(key, { signal });
    await gone();
    await location.put(key, text('again'), { signal, ifAbsent: true });
    expect(await read(location, key)).toBe('again');
  });

  it('says when an object was written, where it knows', async () => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('now'), { signal });
    const info = await location.stat(key, { signal });
    if (info?.modifiedMs === undefined) return;
    expect(Math.abs(info.modifiedMs - harness.clock.wallMs())).toBeLessThan(clocksDifferMsMax);
  });

  it('takes keys of all allowed characters, and of the greatest length', async () => {
    await using location = await harness.open();
    const root = freshKey();
    // A segment is a file name to some, of at most 255 bytes.
    const deep = `${root}/${'d'.repeat(200)}/${'e'.repeat(200)}`;
    const long = `${deep}/${'f'.repeat(KEY_LENGTH_MAX - deep.length - 1)}`;
    const keys = [
      `${root}/-._AZaz09`,
      `${root}/...`,
      `${root}/.hidden`,
      `${root}/-rf`,
      `${root}/a.tmp`,
      `${root}/a..b`,
      `${root}/Aa/x`,
      `${root}/aa/X`,
      long,
    ];
    for (const key of keys) await location.put(key, text(key), { signal });
    for (const key of keys) expect(await read(location, key)).toBe(key);
    expect(await keysOf(location, `${root}/`)).toEqual(keys.toSorted());
    for (const key of keys) await location.remove(key, { signal });
    expect(await keysOf(location, `${root}/`)).toEqual([]);
  });

  it('keeps a key and those below it apart, or refuses the second', async () => {
    await using location = await harness.open();
    const above = freshKey();
    const below = `${above}/below`;
    await location.put(above, text('above'), { signal });
    expect(await location.stat(below, { signal })).toBeUndefined();
    await expect(location.get(below, { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await location.remove(below, { signal });
    const refused = await location.put(below, text('below'), { signal }).catch((error: unknown) => error);
    if (refused === undefined) expect(await read(location, below)).toBe('below');
    else expect(refused).toMatchObject({ code: 'STORAGE_UNSUITABLE' });
    expect(await read(location, above)).toBe('above');

    const other = freshKey();
    await location.put(`${other}/below`, text('below'), { signal });
    expect(await location.stat(other, { signal })).toBeUndefined();
    await expect(location.get(other, { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await location.remove(other, { signal });
    expect(await read(location, `${other}/below`)).toBe('below');
  });

  it('carries big objects, whole and in parts', { timeout: 120_000 }, async () => {
    await using location = await harness.open();
    const key = freshKey();
    const whole = noise(harness.bigBytes ?? bigBytesDefault);
    const cut = Math.floor(whole.byteLength / 3);
    await location.put(key, [whole.subarray(0, cut), whole.subarray(cut)], { signal });
    expectSame(await location.get(key, { signal }), whole);
    const range = { offset: cut - 1, sizeBytes: cut };
    expectSame(await location.get(key, { signal, range }), whole.subarray(range.offset, range.offset + range.sizeBytes));
    expect(await location.stat(key, { signal })).toMatchObject({ sizeBytes: whole.byteLength });
    await location.remove(key, { signal });
  });

  it('is well, has a name and no parts that are behind', async () => {
    await using location = await harness.open();
    await location.stat(freshKey(), { signal });
    expect(location.status()).toMatchObject({ name: location.name, state: 'ok', message: '', behindObjects: 0, behindBytes: 0 });
  });
}
