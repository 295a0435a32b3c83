import { expect, it } from 'vitest';
import { concatBytes } from '../bytes.ts';
import type { Draft, Location } from '../location.ts';
import { expectSame, freshKey, keysOf, type LocationHarness, noise, read, signal, text } from './harness.ts';

async function begin(location: Location): Promise<Draft> {
  const draft = await location.draft?.({ signal });
  if (draft === undefined) throw new Error('this location takes no drafts');
  return draft;
}

/** Of locations that take objects bit by bit. */
export function describeDrafts(harness: LocationHarness): void {
  it('becomes the object that it was added up to, and is seen by nobody before', async () => {
    await using location = await harness.open();
    await using other = await harness.open();
    for (const sizes of [[], [0], [1], [0, 1, 0], [4095, 1, 1], [65_537, 3, 262_144], [1_048_575, 9_000_000]]) {
      const root = freshKey();
      const parts = sizes.map(noise);
      await using draft = await begin(location);
      for (const part of parts) {
        const given = part.slice();
        await draft.append(given, { signal });
        expectSame(given, part, 'the data is not changed');
        given.fill(0);
      }
      expect(await keysOf(other, `${root}/`)).toEqual([]);
      await draft.put(`${root}/whole`, { signal });
      for (const client of [location, other]) expectSame(await client.get(`${root}/whole`, { signal }), concatBytes(parts));
    }
  });

  it('replaces an object, unless it must not; then it can still have another key', async () => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('old'), { signal });
    await using refused = await begin(location);
    await refused.append(noise(10), { signal });
    await expect(refused.put(key, { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
    await expect(refused.put('../out', { signal })).rejects.toMatchObject({ code: 'STORAGE_BAD_KEY' });
    expect(await read(location, key)).toBe('old');
    await refused.put(`${key}-other`, { signal, ifAbsent: true });
    expect((await location.stat(`${key}-other`, { signal }))?.sizeBytes).toBe(10);

    await using draft = await begin(location);
    await draft.append(text('new')[0]!, { signal });
    await draft.put(key, { signal });
    expect(await read(location, key)).toBe('new');
  });

  it('goes on beside others', async () => {
    await using location = await harness.open();
    const root = freshKey();
    const contents = Array.from({ length: 8 }, () => [noise(100_000), noise(200_000)]);
    await Promise.all(
      contents.map(async (parts, n) => {
        await using draft = await begin(location);
        for (const part of parts) await draft.append(part, { signal });
        if (n % 2 === 0) await draft.put(`${root}/${n}`, { signal });
      }),
    );
    expect(await keysOf(location, `${root}/`)).toEqual(['0', '2', '4', '6'].map((n) => `${root}/${n}`));
    for (const n of [0, 2, 4, 6]) expectSame(await location.get(`${root}/${n}`, { signal }), concatBytes(contents[n]!));
  });

  it('ends with its signal, at every call, and the location goes on', async () => {
    await using location = await harness.open();
    const key = freshKey();
    const reason = new Error('not wanted any more');
    const over = AbortSignal.abort(reason);
    await expect(location.draft!({ signal: over })).rejects.toBe(reason);
    await using draft = await begin(location);
    await expect(draft.append(noise(10), { signal: over })).rejects.toBe(reason);
    const abort = new AbortController();
    const appending = draft.append(noise(4_000_000), { signal: abort.signal });
    abort.abort(reason);
    await expect(appending).rejects.toBe(reason);
    await expect(draft.put(key, { signal: over })).rejects.toBe(reason);
    expect(await location.stat(key, { signal })).toBeUndefined();
    await location.put(key, text('probe'), { signal });
    expect(await read(location, key)).toBe('probe');
  });
}
