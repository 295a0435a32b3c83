import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgePath, matchesEnd, matchesPattern, mayMatchBelow, parsePattern, partsOf } from './pattern.ts';

const matches = (pattern: string, path: string): boolean => matchesPattern(parsePattern(pattern), partsOf(path));

// Rows of restic's own tables, internal/filter/filter_test.go.
test.each([
  ['/', '/', true],
  ['/', '/foo/bar', true],
  ['*', '/foo', true],
  ['*.go', '/foo/bar/test.go', true],
  ['*.c', '/foo/bar/test.go', false],
  ['*', '/foo/bar/test.go', true],
  ['foo*', '/foo/bar/test.go', true],
  ['bar*', '/foo/bar/test.go', true],
  ['/foo*/test.go', '/foo/bar/test.go', false],
  ['/foo/*/test.go', '/foo/bar/test.go', true],
  ['*/*/bar', '/foo/bar/test.go', false],
  ['foo/bar', '/x/foo/bar/test.go', true],
  ['foo/test.go', '/foo/bar/test.go', false],
  ['/foo/**/test.go', '/foo/bar/baz/test.go', true],
  ['/foo/**/test.go', '/foo/test.go', true],
  ['foo/**/bar/**', '/home/user/foo/x/bar/test.go', true],
  ['**/bar/**/test.go', '/x/bar/a/b/test.go', true],
  ['/**/test.go', '/a/b/c/test.go', true],
  ['/home/**/x.txt', '/var/x.txt', false],
  ['[abc]at', '/x/bat', true],
  ['[^abc]at', '/x/bat', false],
  ['[a-c]x', '/bx', true],
  ['a?c', '/aéc', true],
  ['a?c', '/a😀c', true],
  ['a.c', '/abc', false],
  [String.raw`a\*c`, '/a*c', true],
  [String.raw`a\*c`, '/abc', false],
  ['foo//./bar/', '/foo/bar', true],
  ['foo/../bar', '/bar', true],
  ['\udcff*', '/\udcffx', true],
])('%j on %j: %j', (pattern, path, expected) => expect(matches(pattern, path)).toBe(expected));

test.each([
  ['/home/**/x', '/home', true],
  ['/home/**/x', '/var', false],
  ['/home/user', '/home', true],
  ['/home/user', '/home/other', false],
  ['*.go', '/anything', true],
])('below: %j may match under %j: %j', (pattern, path, expected) =>
  expect(mayMatchBelow(parsePattern(pattern), partsOf(path))).toBe(expected),
);

test.each([
  ['*b', '/src/sub/b', true],
  ['sub', '/src/sub/b', false],
  ['src/*', '/src/sub', true],
  ['/src', '/src/sub', false],
  ['/src/**/b', '/src/x/y/b', true],
  ['**/sub/**', '/src/sub/b', true],
  ['/', '/src', false],
])('the end: %j on %j: %j', (pattern, path, expected) => expect(matchesEnd(parsePattern(pattern), partsOf(path))).toBe(expected));

test('later patterns take back', () => {
  const list = ['*.log', '!keep.log'].map((text) => parsePattern(text));
  expect(judgePath(list, ['var', 'a.log']).matched).toBe(true);
  expect(judgePath(list, ['var', 'keep.log']).matched).toBe(false);
});

test('case', () => {
  expect(matchesPattern(parsePattern('*.JPG', { ignoreCase: true }), ['a', 'b.jpg'])).toBe(true);
  expect(matchesPattern(parsePattern('Thumbs', { ignoreCase: true }), ['a', 'THUMBS'])).toBe(true);
});

describe('refused', () => {
  test.each(['', '!', 'a[', '[]', '[^]', '[a-]', 'a\\', '**/**/**/**/**/x', 'x/'.repeat(1001)])('%j', (text) =>
    expect(() => parsePattern(text)).toThrow(expect.objectContaining({ code: 'BACKUP_PATTERN_INVALID' })),
  );

  test('or understood, whatever it is', () =>
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30, unit: fc.constantFrom(...Array.from('[]^-*?\\/!ab.(){}|+$')) }),
        fc.array(fc.string(), { maxLength: 4 }),
        (text, path) => {
          try {
            matchesPattern(parsePattern(text), path);
          } catch (error) {
            expect(error).toMatchObject({ code: 'BACKUP_PATTERN_INVALID' });
          }
        },
      ),
    ));
});

test('a name of its own escaped characters matches itself', () =>
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }).filter((name) => !name.includes('/') && name !== '.' && name !== '..'),
      (name) => {
        const escaped = Array.from(name)
          .map((character) => (/[\\[\]*?!]/.test(character) ? `\\${character}` : character))
          .join('');
        expect(matchesPattern(parsePattern(escaped), [name])).toBe(true);
      },
    ),
  ));
