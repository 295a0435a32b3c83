import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WalBlocks } from './wal-blocks.ts';

test('Safety: what is taken is what was added, in its order, until it is released. Method: any sizes, in any turns.', () => {
  const turn = fc.record({
    add: fc.integer({ min: 0, max: 700 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    release: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(turn, { minLength: 1, maxLength: 20 }), (turns) => {
      const blocks = new WalBlocks(100);
      let [added, taken] = [0, 0];
      const held: { readonly from: number; readonly pieces: readonly Uint8Array[] }[] = [];
      const holds = (): boolean =>
        held.every(({ from, pieces }) => {
          let at = from;
          return pieces.every((piece) => piece.every((byte) => byte === at++ % 251));
        });
      for (const { add, share, release } of turns) {
        blocks.append(Uint8Array.from({ length: add }, (_, index) => (added + index) % 251));
        added += add;
        const size = Math.floor((added - taken) * share);
        const pieces = blocks.take(size);
        expect(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(size);
        held.push({ from: taken, pieces });
        taken += size;
        expect(holds()).toBe(true);
        if (!release) continue;
        blocks.release();
        held.length = 0;
      }
      expect(() => blocks.take(added - taken + 1)).toThrow(RangeError);
    }),
    { numRuns: 100 },
  );
});
