// What files are made of: bytes that can hardly be compressed, lines of text, pages of a database.
import { createCipheriv } from 'node:crypto';
import type { SeededRandom } from '../../../src/sim/random.ts';

/** Makes the next bytes of a file, `sizeBytes` of them. */
export type Content = (sizeBytes: number) => Buffer;

/** As media and archives are. */
export function noise(random: SeededRandom): Content {
  const key = Buffer.alloc(16);
  for (let at = 0; at < key.length; at += 1) key[at] = random.integer(256);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  return (sizeBytes) => cipher.update(Buffer.alloc(sizeBytes));
}

const vocabularySize = 3_000;
const sentenceCount = 4_000;
const levels = ['debug', 'info', 'info', 'info', 'warn', 'error'];

/** What a program logs: a few thousand different sentences, numbers that differ in every line. */
export function text(random: SeededRandom): Content {
  const sentences = sentencesOf(random);
  let ms = 1_700_000_000_000;
  let rest = Buffer.alloc(0);
  const line = (): string => {
    ms += random.integer(50);
    const id = random.integer(2 ** 32).toString(16);
    return `${new Date(ms).toISOString()} ${random.pick(levels)} [${random.integer(64)}] ${random.pick(sentences)} id=${id} ms=${random.integer(2_000)}\n`;
  };
  return (sizeBytes) => {
    const parts = [rest];
    for (let bytes = rest.length; bytes < sizeBytes;) {
      const lines = Buffer.from(Array.from({ length: 500 }, line).join(''), 'latin1');
      parts.push(lines);
      bytes += lines.length;
    }
    const all = Buffer.concat(parts);
    rest = Buffer.from(all.subarray(sizeBytes));
    return all.subarray(0, sizeBytes);
  };
}

function sentencesOf(random: SeededRandom): string[] {
  const word = (): string => Array.from({ length: 2 + random.integer(9) }, () => String.fromCharCode(97 + random.integer(26))).join('');
  const words = Array.from({ length: vocabularySize }, word);
  // The square: some words are much more frequent than others.
  const pick = (): string => words[Math.floor(random.next() ** 2 * words.length)]!;
  return Array.from({ length: sentenceCount }, () => Array.from({ length: 4 + random.integer(9) }, pick).join(' '));
}

export const pageBytes = 8192;
const pageHeaderBytes = 24;
const tupleHeaderBytes = 24;

/** Heap pages in the manner of PostgreSQL: header, line pointers, free space, tuples of numbers and text from the end down. */
export function pages(random: SeededRandom): Content {
  const sentences = sentencesOf(random).map((sentence) => Buffer.from(sentence, 'latin1'));
  let id = 0;
  let block = 0;
  const page = (into: Buffer): void => {
    into.writeUInt32LE(random.integer(2 ** 32), 4);
    let upper = pageBytes;
    let lower = pageHeaderBytes;
    for (;;) {
      const sentence = random.pick(sentences);
      const bytes = (tupleHeaderBytes + 32 + sentence.length + 7) & ~7;
      if (upper - bytes < lower + 4) break;
      upper -= bytes;
      into.writeUInt32LE(upper | (bytes << 16), lower);
      lower += 4;
      into.writeUInt32LE(1_000 + (id >> 6), upper);
      into.writeUInt32LE(block, upper + 12);
      into.writeUInt32LE((id += 1), upper + tupleHeaderBytes);
      into.writeUInt32LE(random.integer(1_000_000), upper + tupleHeaderBytes + 4);
      into.writeDoubleLE(random.next() * 1e6, upper + tupleHeaderBytes + 8);
      into.writeUInt32LE(random.integer(2 ** 32), upper + tupleHeaderBytes + 16);
      into.writeUInt32LE(random.integer(2 ** 32), upper + tupleHeaderBytes + 20);
      sentence.copy(into, upper + tupleHeaderBytes + 32);
    }
    into.writeUInt16LE(lower, 12);
    into.writeUInt16LE(upper, 14);
    block += 1;
  };
  return (sizeBytes) => {
    const all = Buffer.alloc(Math.ceil(sizeBytes / pageBytes) * pageBytes);
    for (let at = 0; at < all.length; at += pageBytes) page(all.subarray(at, at + pageBytes));
    return all.subarray(0, sizeBytes);
  };
}
