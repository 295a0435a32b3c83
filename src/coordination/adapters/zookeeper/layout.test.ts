import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertKey } from '../../key.ts';
import { decodeEntry, decodeName, encodeName, encodeValue, Layout, placeName, readPlace } from './layout.ts';

const layout = new Layout('/teams/db/holdfast');
const sessionId = '0123456789abcdef0123456789abcdef';
const stat = { czxid: 5n, mzxid: 7n, version: 1, ephemeralOwner: 0n };
const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/);
const key = fc.array(segment, { minLength: 1, maxLength: 6 }).map((segments) => segments.join('/'));

describe('layout', () => {
  it('creates a deep prefix from the top', () => {
    expect(layout.directories).toEqual([
      '/teams',
      '/teams/db',
      '/teams/db/holdfast',
      '/teams/db/holdfast/keys',
      '/teams/db/holdfast/guards',
      '/teams/db/holdfast/queues',
      '/teams/db/holdfast/sessions',
    ]);
  });

  it('gives every key one node of its own. Method: random keys', () => {
    fc.assert(
      fc.property(key, (text) => {
        assertKey(text);
        expect(decodeName(encodeName(text))).toBe(text);
        expect(layout.keyOf(layout.key(text))).toBe(text);
        expect(layout.key(text).split('/')).toHaveLength(6);
        expect(layout.guard(text)).toMatch(/^\/teams\/db\/holdfast\/guards\/[0-3][0-9a-f]$/);
      }),
    );
  });

  it('keeps values whatever they are, and whose they are only while they are bound', () => {
    for (const value of ['', '\n', 'a\nb', '\0', '€']) {
      expect(decodeEntry('k', encodeValue(value, undefined), stat)).toEqual({ key: 'k', value, revision: 7n, sessionId: undefined });
      expect(decodeEntry('k', encodeValue(value, sessionId), { ...stat, ephemeralOwner: 9n })).toEqual({
        key: 'k',
        value,
        revision: 7n,
        sessionId,
      });
      expect(decodeEntry('k', encodeValue(value, sessionId), stat).sessionId).toBeUndefined();
    }
  });

  it.each(['', 'no line', 'not a session\nvalue'])('says that the node %j is not ours', (data) => {
    expect(() => decodeEntry('k', Buffer.from(data), stat)).toThrow(expect.objectContaining({ code: 'COORD_UNSUITABLE' }));
  });

  it('reads places in the order of creation, also after 2^31 of them', () => {
    const orders = ['0000000000', '0000000001', '2147483647', '-2147483648', '-0000000001'].map(
      (sequence) => readPlace('q/a', `${placeName('write', sessionId, 12)}${sequence}`)?.order,
    );
    expect(orders).toEqual([0n, 1n, 2_147_483_647n, 2_147_483_648n, 4_294_967_295n]);
    expect(readPlace('q/a', `${placeName('read', sessionId, 1)}0000000003`)).toEqual({
      key: `q/a/read-${sessionId}-1-0000000003`,
      label: 'read',
      order: 3n,
      sessionId,
    });
  });

  it.each(['', 'lock-0000000001', 'write-xyz-1-0000000001', `write-${sessionId}-1-`, `Write-${sessionId}-1-0000000001`])(
    'does not take the node %j for a place',
    (name) => {
      expect(readPlace('q', name)).toBeUndefined();
      expect(() => layout.place(`q/${name}`)).toThrow(expect.objectContaining({ code: 'COORD_BAD_KEY' }));
    },
  );

  it.each(['', 'x', '../x', 'a//b'])('does not go to a place in the queue %j/..', (queue) => {
    const at = (): string => layout.place(`${queue}/../write-${sessionId}-1-0000000001`);
    expect(at).toThrow(expect.objectContaining({ code: 'COORD_BAD_KEY' }));
  });
});
