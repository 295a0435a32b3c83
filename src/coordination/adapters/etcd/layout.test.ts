import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assertKey } from '../../key.ts';
import { bind, isSessionId, Layout, sessionIdOf, unbind } from './layout.ts';

const layout = new Layout('/holdfast');
const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,6}$/).filter((part) => !/^\.+$/.test(part));
const key = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));

function isIn(range: { key: string; rangeEnd?: string }, fullKey: string): boolean {
  // etcd orders by bytes; keys are ASCII.
  return fullKey >= range.key && fullKey < (range.rangeEnd ?? `${range.key}\0`);
}

it('finds below a key exactly what is below it', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      assertKey(a);
      expect(isIn(layout.below(a), layout.key(b))).toBe(b.startsWith(`${a}/`));
      expect(isIn(layout.around(a), layout.key(b)) && layout.isWithin(a, layout.key(b))).toBe(b === a || b.startsWith(`${a}/`));
      expect(layout.nameOf(layout.key(b))).toBe(b);
    }),
    { numRuns: 2_000 },
  );
});

it('keeps queues apart from each other and from keys', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(isIn(layout.queue(a), layout.place(b, '6f1ad4a8-0000-4000-8000-000000000000'))).toBe(a === b);
      expect(isIn(layout.queue(a), layout.key(b))).toBe(false);
      expect(isIn(layout.below(a), layout.place(b, 'x'))).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

it('tells whose a bound key is, whatever its value', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).filter((id) => id !== 0n),
      (value, lease) => {
        const sessionId = sessionIdOf(lease, crypto.randomUUID());
        expect(isSessionId(sessionId)).toBe(true);
        const stored = { key: '', createRevision: 1n, modRevision: 1n, lease, value: bind(sessionId, value) };
        expect(unbind(stored)).toEqual({ sessionId, value });
        expect(unbind({ ...stored, lease: 0n, value })).toEqual({ sessionId: undefined, value });
        if (!isSessionId(value.split('\n')[0]!)) expect(unbind({ ...stored, value }).sessionId).toMatch(/^unknown-/);
      },
    ),
  );
});

it.each(['', 'x', '../sessions', '0123456789abcdef', '0123456789abcdef-', '0123456789ABCDEF-6f1ad4a8-0000-4000-8000-000000000000', '\n'])(
  'does not take %j for a session',
  (text) => {
    expect(isSessionId(text)).toBe(false);
  },
);
