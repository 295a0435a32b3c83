import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modeFromStat, permissionsOf } from './mode.ts';
import { compareNames, nameFromBytes, nameToBytes, quoteName, unquoteName } from './name.ts';
import type { NodeType, TreeNode } from './node.ts';
import { timeFromMs, timeFromNs, timeToMs, timeToNs } from './time.ts';
import { decodeTree, encodeTree } from './tree.ts';

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const text = (document: Uint8Array): string => Buffer.from(document).toString();

/** Names of bytes as they come: mostly text, some of it strange, some no text at all. */
const names = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((name) => new Uint8Array(Buffer.from(name))),
    fc.uint8Array({ minLength: 1, maxLength: 12 }),
    fc
      .array(fc.constantFrom(0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0xff, 0x5c, 0x22, 0x0a), {
        minLength: 1,
        maxLength: 12,
      })
      .map((values) => bytes(...values)),
  )
  .filter((name) => name.length > 0);

describe('names', () => {
  test('Safety: every name comes back byte for byte, through its string and through its quoted form. Method: names of any bytes', () => {
    fc.assert(
      fc.property(names, (name) => {
        const held = nameFromBytes(name);
        expect(Buffer.compare(nameToBytes(held), name)).toBe(0);
        const quoted = quoteName(held);
        expect(quoted.isWellFormed()).toBe(true);
        expect(unquoteName(quoted)).toBe(held);
      }),
      { numRuns: 500 },
    );
  });

  test('Safety: they are ordered by their bytes. Method: pairs of names', () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        expect(Math.sign(compareNames(nameFromBytes(a), nameFromBytes(b)))).toBe(Math.sign(Buffer.compare(a, b)));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['plain name', 'plain name'],
    ['a"b\\c', String.raw`a\"b\\c`],
    ['\u0007\b\f\n\r\t\v\u0001\u007f', String.raw`\a\b\f\n\r\t\v\x01\x7f`],
    ['\u00a0\u00ad\u200b\ue000\u{e0001}', String.raw`\u00a0\u00ad\u200b\ue000\U000e0001`],
    ['ü€😀', 'ü€😀'],
    [nameFromBytes(bytes(0x41, 0xff, 0xe2, 0x82)), String.raw`A\xff\xe2\x82`],
  ])('%j is quoted as strconv.Quote does', (name, quoted) => {
    expect(quoteName(name)).toBe(quoted);
    expect(unquoteName(quoted)).toBe(name);
  });

  test('other forms that Go would read are read, nonsense is refused', () => {
    expect(unquoteName(String.raw`\101\xc3\xa9\u00e9`)).toBe('Aéé');
    for (const wrong of ['\\', String.raw`\q`, '"', 'a\nb', String.raw`\777`, String.raw`\ud800`, String.raw`\U00110000`, String.raw`\x4`])
      expect(() => unquoteName(wrong), wrong).toThrow(SyntaxError);
  });
});

describe('times', () => {
  test.each([
    [0n, '1970-01-01T00:00:00Z'],
    [1_795_356_187_123_456_789n, '2026-11-22T14:03:07.123456789Z'],
    [1_795_356_187_120_000_000n, '2026-11-22T14:03:07.12Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-1_000_000_000n, '1969-12-31T23:59:59Z'],
  ])('%s ns', (ns, time) => {
    expect(timeFromNs(ns)).toBe(time);
    expect(timeToNs(time)).toBe(ns);
  });

  test('zones count, and years that do not fit are moved', () => {
    expect(timeToNs('2026-11-22T15:03:07.5+01:00')).toBe(timeToNs('2026-11-22T14:03:07.5Z'));
    expect(timeToMs('2026-11-22T08:33:07.25-05:30')).toBe(Date.parse('2026-11-22T14:03:07.25Z'));
    expect(timeFromNs(10n ** 24n)).toBe('9999-12-31T23:59:59Z');
    expect(timeFromNs(-(10n ** 24n))).toBe('0000-01-01T00:00:00Z');
    expect(timeFromMs(1.5)).toBe('1970-01-01T00:00:00.0015Z');
    for (const wrong of ['', '2026-11-22', '2026-13-01T00:00:00Z', '2026-11-22T14:03:07', 'x'.repeat(1000)])
      expect(() => timeToNs(wrong)).toThrow(SyntaxError);
  });
});

test('modes are those of Go', () => {
  expect(modeFromStat(0o100644)).toEqual({ mode: 0o644, type: 'file' });
  expect(modeFromStat(0o040755)).toEqual({ mode: 2147484141, type: 'dir' });
  expect(modeFromStat(0o041777)).toEqual({ mode: 2148532735, type: 'dir' });
  expect(modeFromStat(0o120777)).toEqual({ mode: 134218239, type: 'symlink' });
  expect(modeFromStat(0o020666)).toEqual({ mode: 69206454, type: 'chardev' });
  for (const stat of [0o4755, 0o2755, 0o1777, 0o7777, 0o644]) expect(permissionsOf(modeFromStat(0o100000 + stat).mode)).toBe(stat);
});

const stamps = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 19n }).map(timeFromNs);
const ids = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((id) => Buffer.from(id).toString('hex'));
const large = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const nodes: fc.Arbitrary<TreeNode> = fc.record(
  {
    name: names.map(nameFromBytes),
    type: fc.constantFrom<NodeType>('file', 'dir', 'symlink', 'dev', 'chardev', 'fifo', 'socket', 'irregular'),
    mode: fc.nat(2 ** 31 - 1),
    mtime: stamps,
    atime: stamps,
    ctime: stamps,
    uid: fc.nat(2 ** 31 - 1),
    gid: fc.nat(2 ** 31 - 1),
    user: fc.string({ minLength: 1 }),
    group: fc.string({ minLength: 1 }),
    inode: large,
    deviceId: large,
    size: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    links: fc.integer({ min: 1, max: 1000 }),
    linkTarget: names.map(nameFromBytes),
    extendedAttributes: fc.array(fc.record({ name: fc.string({ minLength: 1 }), value: fc.uint8Array() }), { minLength: 1 }),
    genericAttributes: fc.constant({ 'windows.creation_time': 'AAAA', deep: { list: [1, null, '<'] } }),
    device: large,
    content: fc.array(ids),
    subtree: ids,
    error: fc.string({ minLength: 1 }),
    extra: fc.constant({ later: { version: 3, digits: 123456789012345678901n } }),
  },
  { requiredKeys: ['name', 'type', 'mode', 'mtime', 'atime', 'ctime', 'uid', 'gid'] },
);

describe('trees', () => {
  const node: TreeNode = {
    name: 'a',
    type: 'file',
    mode: 0o644,
    mtime: '2026-11-22T14:03:07Z',
    atime: '2026-11-22T14:03:07Z',
    ctime: '2026-11-22T14:03:07Z',
    uid: 0,
    gid: 0,
  };

  test('Safety: what is written is read as it was, and written the same again. Method: nodes with any members', () => {
    fc.assert(
      fc.property(fc.uniqueArray(nodes, { selector: ({ name }) => name, maxLength: 5 }), (list) => {
        const sorted = list.toSorted((a, b) => compareNames(a.name, b.name));
        const document = encodeTree(sorted);
        expect(decodeTree(document, 'it')).toEqual(sorted);
        expect(Buffer.compare(encodeTree(decodeTree(document, 'it')), document)).toBe(0);
      }),
    );
  });

  test('members stand in the order of restic, and end with a newline', () => {
    expect(text(encodeTree([{ ...node, user: 'r<t', inode: 2n ** 63n, size: 5, links: 1, content: ['ab'.repeat(32)] }]))).toBe(
      `{"nodes":[{"name":"a","type":"file","mode":420,"mtime":"2026-11-22T14:03:07Z","atime":"2026-11-22T14:03:07Z","ctime":"2026-11-22T14:03:07Z",` +
        `"uid":0,"gid":0,"user":"r\\u003ct","inode":9223372036854775808,"size":5,"links":1,"content":["${'ab'.repeat(32)}"]}]}\n`,
    );
    expect(text(encodeTree([]))).toBe('{"nodes":[]}\n');
    expect(text(encodeTree([{ ...node, type: 'symlink', linkTarget: nameFromBytes(bytes(0xff)) }]))).toContain(
      String.raw`"linktarget":"\ufffd","linktarget_raw":"/w==","content":null`,
    );
  });

  test('entries out of order or twice are a fault of whoever makes them', () => {
    expect(() => encodeTree([{ ...node, name: 'b' }, node])).toThrow(RangeError);
    expect(() => encodeTree([node, node])).toThrow(RangeError);
  });

  test.each([
    'nonsense',
    '[]',
    '{"nodes":5}',
    '{"nodes":[5]}',
    '{"nodes":[{"type":"file","mtime":"2026-11-22T14:03:07Z"}]}',
    '{"nodes":[{"name":"\\\\q","type":"file","mtime":"2026-11-22T14:03:07Z"}]}',
    '{"nodes":[{"name":"a","type":"dir","mtime":"2026-11-22T14:03:07Z","subtree":"../../etc"}]}',
    '{"nodes":[{"name":"a","type":"what","mtime":"2026-11-22T14:03:07Z"}]}',
    '{"nodes":[{"name":"a","type":"file","mtime":"2026-11-22T14:03:07Z","size":-1}]}',
    '{"nodes":[{"name":"a","type":"file","mtime":"2026-11-22T14:03:07Z","size":"5"}]}',
  ])('%s is damage', (document) => {
    expect(() => decodeTree(Buffer.from(document), 'tree 1234')).toThrow(expect.objectContaining({ code: 'BACKUP_DAMAGED' }));
  });

  test('a list that is null is empty', () => expect(decodeTree(Buffer.from('{"nodes":null}'), 'it')).toEqual([]));
});
