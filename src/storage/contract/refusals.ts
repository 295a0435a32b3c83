import { expect, it } from 'vitest';
import { KEY_LENGTH_MAX } from '../key.ts';
import type { Location } from '../location.ts';
import { collect, freshKey, type LocationHarness, signal, text } from './harness.ts';

const noKeys: Readonly<Record<string, string>> = {
  'an empty one': '',
  'a slash': '/',
  'a leading slash': '/a',
  'a trailing slash': 'a/',
  'an empty segment': 'a//b',
  'one dot': '.',
  'two dots': '..',
  'a way up': 'a/../b',
  'a way up at the end': 'a/..',
  'a dot segment': 'a/./b',
  blanks: 'a b',
  'a backslash': 'a\\b',
  'a percent sign': 'a%2fb',
  'a tilde': '~tmp/x',
  'a null byte': 'a\0b',
  'a newline': 'a\nb',
  'an umlaut': '\u00e4',
  'a decomposed umlaut': 'a\u0308',
  'half a surrogate pair': '\ud800',
  'one character too many': 'a'.repeat(KEY_LENGTH_MAX + 1),
};

const calls: Readonly<Record<string, (location: Location, key: string) => Promise<unknown>>> = {
  put: (location, key) => location.put(key, text('x'), { signal }),
  get: (location, key) => location.get(key, { signal }),
  stat: (location, key) => location.stat(key, { signal }),
  remove: (location, key) => location.remove(key, { signal }),
  // An empty prefix is one, and so is what ends in a slash.
  list: (location, key) => collect(location.list(key === '' ? 'a' : key === 'a/' ? 'a' : key, { signal })),
};

export function describeRefusals(harness: LocationHarness): void {
  it.each(Object.entries(noKeys))('takes no key that is %s', async (_, key) => {
    await using location = await harness.open();
    for (const [name, call] of Object.entries(calls))
      await expect(call(location, key), name).rejects.toMatchObject({ code: 'STORAGE_BAD_KEY', retryable: false });
  });

  it.each([
    [-1, 1],
    [0, 0],
    [0, -1],
    [0.5, 1],
    [0, 1.5],
    [Number.NaN, 1],
    [0, Infinity],
    [2 ** 53, 1],
  ])('takes no range of %d and %d', async (offset, sizeBytes) => {
    await using location = await harness.open();
    const key = freshKey();
    await location.put(key, text('xyz'), { signal });
    await expect(location.get(key, { signal, range: { offset, sizeBytes } })).rejects.toThrow(RangeError);
  });
}
