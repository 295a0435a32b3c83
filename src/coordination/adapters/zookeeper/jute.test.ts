import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from './frames.ts';
import { JuteReader, JuteWriter } from './jute.ts';

const foreign = expect.objectContaining({ name: 'ZooKeeperFailure', kind: 'foreign' });

describe('jute', () => {
  it('writes as ZooKeeper does', () => {
    const frame = new JuteWriter().int(1).long(-2n).bool(true).text('ä/').bytes(new Uint8Array(0)).frame();
    expect(frame.toString('hex')).toBe('0000001800000001fffffffffffffffe0100000003c3a42f00000000');
  });

  it('reads back what it wrote. Method: random records', () => {
    const field = fc.oneof(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value) => ({ kind: 'int', value }) as const),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ kind: 'long', value }) as const),
      fc.boolean().map((value) => ({ kind: 'bool', value }) as const),
      fc.string({ unit: 'binary', maxLength: 400 }).map((value) => ({ kind: 'text', value: value.toWellFormed() }) as const),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
        const writer = new JuteWriter();
        for (const { kind, value } of fields) (writer[kind] as (value: unknown) => unknown).call(writer, value);
        const [record] = [...new FrameReader(1 << 20).push(writer.frame())];
        const reader = new JuteReader(record!);
        expect(fields.map(({ kind }) => reader[kind]())).toEqual(fields.map(({ value }) => value));
        expect(() => reader.bool()).toThrow(foreign);
      }),
    );
  });

  it.each([
    ['a number cut short', (reader: JuteReader) => reader.long(), '00000001'],
    ['a text longer than the frame', (reader: JuteReader) => reader.text(), '7fffffff61'],
    ['a negative length', (reader: JuteReader) => reader.bytes(), 'fffffffe'],
    ['a list longer than the frame', (reader: JuteReader) => reader.list(() => reader.text()), '1000000000000000'],
    ['a list of negative length', (reader: JuteReader) => reader.list(() => reader.text()), 'fffffffe'],
  ])('refuses %s', (_, read, hex) => {
    expect(() => read(new JuteReader(Buffer.from(hex, 'hex')))).toThrow(foreign);
  });

  it('reads an absent buffer or list as an empty one', () => {
    const reader = new JuteReader(Buffer.from('ffffffffffffffff', 'hex'));
    expect(reader.bytes()).toHaveLength(0);
    expect(reader.list(() => 0)).toEqual([]);
  });
});

describe('frames', () => {
  it('come out whole however the stream was cut. Method: random frames, random cuts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map((body) => new JuteWriter().bytes(body).frame().subarray(4)));
          const reader = new FrameReader(300);
          const seen: Buffer[] = [];
          for (let at = 0, n = 0; at < stream.length; n++) {
            const end = at + cuts[n % cuts.length]!;
            seen.push(...reader.push(stream.subarray(at, end)));
            at = end;
          }
          expect(seen.map((frame) => frame.toString('hex'))).toEqual(bodies.map((body) => Buffer.from(body).toString('hex')));
        },
      ),
    );
  });

  it.each([
    ['longer than is accepted', '0000012d'],
    ['of negative length', 'ffffffff'],
    ['that are the text of another protocol', Buffer.from('HTTP/1.1 400 Bad Request').toString('hex')],
  ])('%s are refused before they are read', (_, hex) => {
    expect(() => [...new FrameReader(300).push(Buffer.from(hex, 'hex'))]).toThrow(foreign);
  });
});
