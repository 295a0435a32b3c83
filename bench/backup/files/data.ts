// The tree that is backed up: the same for the same size and seed.
import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { seededRandom, type SeededRandom } from '../../../src/sim/random.ts';
import { noise, pageBytes, pages, text, type Content } from './content.ts';

const mebibyte = 1024 * 1024;

interface Kind {
  readonly name: string;
  /** Of all bytes. */
  readonly share: number;
  readonly content: (random: SeededRandom) => Content;
  readonly fileBytes: (random: SeededRandom) => number;
  /** Changes so much of the files in `directory` as users of such files do. */
  readonly change: (directory: string, sizeBytes: number, content: Content, random: SeededRandom) => void;
}

/** Half of the bytes can hardly be compressed; the other half is text and pages of a database. */
const kinds: readonly Kind[] = [
  { name: 'media', share: 0.35, content: noise, fileBytes: () => 64 * mebibyte, change: replaceFiles },
  { name: 'photos', share: 0.15, content: noise, fileBytes: (random) => 40_000 + random.integer(360_000), change: replaceFiles },
  { name: 'logs', share: 0.2, content: text, fileBytes: () => 32 * mebibyte, change: appendToLast },
  { name: 'pages', share: 0.25, content: pages, fileBytes: () => 128 * mebibyte, change: overwriteRuns },
  { name: 'small', share: 0.05, content: text, fileBytes: (random) => 100 + random.integer(16_000), change: replaceFiles },
];
const filesOfDirectory = 200;
const writtenAtOnceBytes = 4 * mebibyte;
/** Pages that are changed lie together, as those of rows that are of one time. */
const runBytes = 64 * pageBytes;

/** Makes the tree in an empty directory. */
export function makeData(directory: string, sizeBytes: number, seed: number): void {
  for (const { name, share, content, fileBytes } of kinds) {
    const random = seededRandom(`${seed} ${name}`);
    const make = content(random);
    let left = Math.round(sizeBytes * share);
    for (let number = 0; left > 0; number += 1) {
      const bytes = Math.min(left, fileBytes(random));
      const file = join(directory, name, String(Math.floor(number / filesOfDirectory)).padStart(4, '0'), `${number}`);
      mkdirSync(dirname(file), { recursive: true });
      writeFile(file, bytes, make);
      left -= bytes;
    }
  }
}

/** Changes that share of each kind of files. */
export function changeData(directory: string, share: number, seed: number): void {
  for (const { name, content, change } of kinds) {
    const random = seededRandom(`${seed} ${name} changed`);
    const folder = join(directory, name);
    const sizeBytes = filesOf(folder).reduce((sum, file) => sum + statSync(file).size, 0);
    change(folder, Math.ceil(sizeBytes * share), content(random), random);
  }
}

/** At least one, others in the place of those that are there. */
function replaceFiles(directory: string, sizeBytes: number, content: Content, random: SeededRandom): void {
  const files = filesOf(directory);
  for (let left = sizeBytes; left > 0;) {
    const file = random.pick(files);
    const bytes = Math.min(statSync(file).size, left);
    rmSync(file);
    writeFile(file, bytes, content);
    left -= bytes;
  }
}

function appendToLast(directory: string, sizeBytes: number, content: Content): void {
  appendFileSync(filesOf(directory).at(-1)!, content(sizeBytes));
}

function overwriteRuns(directory: string, sizeBytes: number, content: Content, random: SeededRandom): void {
  const files = filesOf(directory);
  for (let left = sizeBytes; left > 0; left -= runBytes) {
    const file = random.pick(files);
    const fd = openSync(file, 'r+');
    const runs = Math.max(1, Math.floor(statSync(file).size / runBytes));
    writeSync(fd, content(Math.min(left, runBytes)), 0, undefined, random.integer(runs) * runBytes);
    closeSync(fd);
  }
}

function writeFile(file: string, sizeBytes: number, content: Content): void {
  const fd = openSync(file, 'w');
  for (let left = sizeBytes; left > 0; left -= writtenAtOnceBytes) writeSync(fd, content(Math.min(left, writtenAtOnceBytes)));
  closeSync(fd);
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
