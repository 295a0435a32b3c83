import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameReader } from './frames.ts';

function trusting(): FrameReader {
  const reader = new FrameReader();
  reader.trust();
  return reader;
}

describe('a message that is repeated', () => {
  test('is the same object again, however it is cut', () => {
    const reader = trusting();
    const frame = encodeFrame({ type: 'cast', kind: 'state', body: { term: 1 } });
    const first = [...reader.push(frame)];
    const again = [...frame].flatMap((byte) => [...reader.push(Buffer.of(byte))]);
    expect(again).toEqual([{ type: 'cast', kind: 'state', body: { term: 1 } }]);
    expect(again[0]).toBe(first[0]);
  });

  test('is told from one of the same length that differs in one byte', () => {
    const reader = trusting();
    const [one] = reader.push(encodeFrame({ term: 1 }));
    const [two] = reader.push(encodeFrame({ term: 2 }));
    const [oneAgain] = reader.push(encodeFrame({ term: 1 }));
    expect([one, two, oneAgain]).toEqual([{ term: 1 }, { term: 2 }, { term: 1 }]);
    expect(oneAgain).not.toBe(one);
  });

  test('is not kept when it is long', () => {
    const reader = trusting();
    const frame = encodeFrame({ filling: 'x'.repeat(20_000) });
    const [first, second] = [...reader.push(Buffer.concat([frame, frame]))];
    expect(second).toEqual(first);
    expect(second).not.toBe(first);
  });
});
