import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CallFailure } from './failure.ts';
import { frame, FrameReader, MESSAGE_BYTES_MAX } from './frames.ts';

it('gives the messages back, wherever the stream is cut into chunks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 20 })),
      (messages, sizes) => {
        const stream = Buffer.concat(messages.map(frame));
        const reader = new FrameReader();
        const read: Buffer[] = [];
        for (let at = 0; at < stream.length;) {
          const size = sizes.next().value;
          read.push(...reader.push(stream.subarray(at, at + size)));
          at += size;
        }
        expect(read.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
        expect(reader.within).toBe(false);
      },
    ),
  );
});

it('knows that a message is not whole yet', () => {
  for (const bytes of ['00', '0000000002', '000000000261']) {
    const reader = new FrameReader();
    expect([...reader.push(Buffer.from(bytes, 'hex'))]).toEqual([]);
    expect(reader.within).toBe(true);
  }
});

it('refuses a giant before a byte of it is stored, and takes the largest', () => {
  const header = Buffer.from([0, 0, 0, 0, 0]);
  header.writeUInt32BE(MESSAGE_BYTES_MAX + 1, 1);
  expect(() => [...new FrameReader().push(header)]).toThrow(CallFailure);
  header.writeUInt32BE(0xffff_ffff, 1);
  expect(() => [...new FrameReader().push(header)]).toThrow('4294967295 bytes');
  const largest = frame(Buffer.alloc(MESSAGE_BYTES_MAX, 7));
  const [message] = [...new FrameReader().push(largest)];
  expect(message?.length).toBe(MESSAGE_BYTES_MAX);
});

it('refuses compression', () => {
  expect(() => [...new FrameReader().push(Buffer.from([1, 0, 0, 0, 0]))]).toThrow('compressed');
});
