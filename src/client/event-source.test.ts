import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventData } from './event-source.ts';

async function dataOf(...chunks: (string | Buffer)[]): Promise<string[]> {
  async function* source(): AsyncGenerator<string | Buffer> {
    yield* chunks;
  }
  return Array.fromAsync(eventData(source()));
}

it('reads events however the stream is cut', async () => {
  const stream = Buffer.from('retry: 2000\n\n:\n\nid: 1\nevent: x\ndata: {"name":"Zoë"}\n\ndata: a\ndata:  b\n\nid: 9\n\r\n');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 40 }), async (sizes) => {
      const chunks: Buffer[] = [];
      for (let offset = 0, turn = 0; offset < stream.length; turn++) {
        const size = sizes[turn % sizes.length]!;
        chunks.push(stream.subarray(offset, offset + size));
        offset += size;
      }
      expect(await dataOf(...chunks)).toEqual(['{"name":"Zoë"}', 'a\n b']);
    }),
  );
});

it('takes all three line ends, and drops an event that was cut off', async () => {
  expect(await dataOf('data: a\r\n\r\ndata: b\r\rdata: c\n\ndata: d\n')).toEqual(['a', 'b', 'c']);
  expect(await dataOf('data: a\r', '\n\r', '\n')).toEqual(['a']);
});

it('does not take an event without end', async () => {
  await expect(dataOf(`data: ${'x'.repeat(1024 * 1024)}`)).rejects.toThrow('too long');
  await expect(dataOf(...Array.from({ length: 2000 }, () => `data: ${'x'.repeat(1000)}\n`))).rejects.toThrow('too long');
});
