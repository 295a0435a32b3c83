import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TarReader, type TarEntry } from './tar-reader.ts';

interface Member {
  name: string;
  type?: string;
  content?: Buffer;
  link?: string;
  prefix?: string;
  /** In GNU's base-256 instead of octal digits. */
  binarySize?: boolean;
}

/** Writes ustar, as the reader's opposite. */
function archive(...members: Member[]): Buffer {
  return Buffer.concat(
    members.map(({ name, type = '0', content = Buffer.alloc(0), link = '', prefix = '', binarySize = false }) => {
      const header = Buffer.alloc(512);
      header.write(name, 0, 100);
      header.write(binarySize ? '' : `${content.length.toString(8).padStart(11, '0')}\0`, 124);
      if (binarySize) {
        header[124] = 0x80;
        header.writeUInt32BE(content.length, 132);
      }
      header.write(type, 156);
      header.write(link, 157, 100);
      header.write('ustar\0', 257);
      header.write(prefix, 345, 155);
      header.fill(' ', 148, 156);
      header.write(
        `${header
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
        148,
      );
      return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
    }),
  );
}

async function read(...chunks: Buffer[]): Promise<{ name: string; kind: string; link: string; content: string }[]> {
  const found: { name: string; kind: string; link: string; content: string }[] = [];
  const reader = new TarReader({
    begin: async ({ name, kind, linkTarget }: TarEntry) => void found.push({ name, kind, link: linkTarget, content: '' }),
    data: async (chunk) => void (found.at(-1)!.content += chunk.toString('latin1')),
    end: async () => {},
  });
  for (const chunk of chunks) await reader.write(chunk);
  reader.finish();
  return found;
}

const end = Buffer.alloc(1024);

test('reads files, directories and links', async () => {
  const bytes = archive(
    { name: 'base/', type: '5' },
    { name: 'base/1', content: Buffer.from('page') },
    { name: 'empty' },
    { name: 'pg_tblspc/16385', type: '2', link: '/srv/fast' },
  );
  expect(await read(bytes, end)).toEqual([
    { name: 'base', kind: 'directory', link: '', content: '' },
    { name: 'base/1', kind: 'file', link: '', content: 'page' },
    { name: 'empty', kind: 'file', link: '', content: '' },
    { name: 'pg_tblspc/16385', kind: 'link', link: '/srv/fast', content: '' },
  ]);
});

test('it does not matter how the bytes are cut', async () => {
  const bytes = Buffer.concat([
    archive(
      { name: 'a', content: Buffer.alloc(700, 'x') },
      { name: 'b', content: Buffer.alloc(512, 'y') },
      { name: 'c', content: Buffer.from('z') },
    ),
    end,
  ]);
  const whole = await read(bytes);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((place, index) => bytes.subarray(places[index], place));
      expect(await read(...chunks)).toEqual(whole);
    }),
  );
});

test('long names in two parts, and sizes in binary', async () => {
  expect(await read(archive({ name: 'name', prefix: 'some/where', content: Buffer.from('!'), binarySize: true }))).toMatchObject([
    { name: 'some/where/name', content: '!' },
  ]);
});

describe('refuses', () => {
  test.each([
    ['absolute names', archive({ name: '/etc/passwd' })],
    ['names that lead out', archive({ name: 'base/../../x' })],
    ['devices', archive({ name: 'x', type: '3' })],
    ['extensions that PostgreSQL does not write', archive({ name: 'x', type: 'x' })],
    ['damaged headers', Buffer.from(archive({ name: 'x' }).map((byte, index) => (index === 3 ? byte ^ 1 : byte)))],
    ['an archive that is cut off in a header', archive({ name: 'x' }).subarray(0, 100)],
    ['or in a file', archive({ name: 'x', content: Buffer.alloc(600) }).subarray(0, 900)],
  ])('%s', async (_name, bytes) => {
    await expect(read(bytes)).rejects.toThrow(RangeError);
  });
});
