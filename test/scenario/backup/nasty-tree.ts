import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { openSystemCalls } from '../../../src/backup/files/system.ts';

/** Names that programs stumble over. */
const names = [
  'space and "quotes"',
  "it's",
  'new\nline',
  'tab\tand\u0001',
  'back\\slash',
  'ünïcödé',
  '日本語',
  '😀',
  '-rf',
  '*',
  '~',
  '...',
  'é',
  'e\u0301',
  '\ufeffbom',
  'n'.repeat(255),
];

/** A directory with one of everything that a file system has; devices only for root. */
export async function makeNastyTree(root: string): Promise<void> {
  fs.mkdirSync(join(root, 'deep', 'er'), { recursive: true });
  fs.mkdirSync(join(root, 'no files'));
  for (const name of names) fs.writeFileSync(join(root, name), name);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff, 0xfe, 0xc3])]), 'not UTF-8');
  fs.writeFileSync(join(root, 'empty'), '');
  fs.writeFileSync(join(root, 'big'), randomBytes(24_000_000));
  fs.writeFileSync(join(root, 'text'), 'the same line again and again\n'.repeat(100_000));
  sparse(join(root, 'sparse'), 60_000_000);
  fs.linkSync(join(root, 'text'), join(root, 'deep', 'same text'));
  fs.linkSync(join(root, 'text'), join(root, 'deep', 'er', 'same text'));
  fs.symlinkSync('deep/er', join(root, 'link'));
  fs.symlinkSync('nowhere', join(root, 'dangling'));
  fs.symlinkSync('link', join(root, 'to link'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  let path = root;
  for (let depth = 0; depth < 12; depth += 1) fs.mkdirSync((path = join(path, `${'d'.repeat(200)}${depth}`)));
  fs.writeFileSync(join(path, 'at the bottom'), 'of a long path');

  fs.chmodSync(join(root, 'empty'), 0o000);
  fs.chmodSync(join(root, "it's"), 0o4755);
  fs.chmodSync(join(root, 'é'), 0o2711);
  fs.chmodSync(join(root, 'no files'), 0o1777);
  if (process.geteuid?.() === 0) {
    execFileSync('mknod', [join(root, 'character'), 'c', '1', '3']);
    execFileSync('mknod', [join(root, 'block'), 'b', '259', '70000']);
    fs.chownSync(join(root, 'big'), 65_534, 4_000_000_000);
    fs.lchownSync(join(root, 'link'), 12_345, 54_321);
  }
  await using system = (await openSystemCalls())!;
  await system.writeAttribute(join(root, 'text'), { name: 'user.bytes', value: Uint8Array.from([0, 1, 254, 255]) });
  await system.writeAttribute(join(root, 'no files'), { name: 'user.empty', value: new Uint8Array() });
  await system.writeAttribute(join(root, 'big'), { name: 'user.ünï', value: randomBytes(2000) });
  await system.setTimes(join(root, 'big'), { accessedNs: 1_000_000_001n, modifiedNs: 981_173_106_123_456_789n });
  await system.setTimes(join(root, '日本語'), { accessedNs: 1n, modifiedNs: -314_000_000_000_000_001n });
  await system.setTimes(join(root, 'link'), { accessedNs: 1n, modifiedNs: 2n });
  await system.setTimes(join(root, 'deep'), { accessedNs: 1n, modifiedNs: 3_000_000_003n });
}

function sparse(path: string, sizeBytes: number): void {
  const fd = fs.openSync(path, 'w');
  fs.ftruncateSync(fd, sizeBytes);
  fs.writeSync(fd, 'a little in the midst', sizeBytes / 2);
  fs.closeSync(fd);
}

/** A line for each file: path, kind, mode, owner, size, names, target, times of change to the nanosecond, device; without the root itself. */
export function describeTree(root: string): string[] {
  const format = String.raw`%P|%y|%m|%U|%G|%s|%n|%l|%T@\0`;
  const found = execFileSync('find', [root, '-mindepth', '1', '-printf', format], { encoding: 'latin1', maxBuffer: 1e8 });
  const lines = found.split('\0').filter((line) => line !== '');
  // A directory's size is the file system's own matter.
  return lines.map((line) => line.replace(/^([^|]*\|d\|\d+\|\d+\|\d+)\|\d+\|\d+/, '$1')).toSorted((a, b) => (a < b ? -1 : 1));
}

/** Contents of all files, device numbers and extended attributes, by path. */
export async function describeContents(root: string): Promise<string[]> {
  await using system = (await openSystemCalls())!;
  const lines: string[] = [];
  const visit = async (directory: Buffer): Promise<void> => {
    for (const name of fs.readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([directory, Buffer.from('/'), name]);
      const stats = fs.lstatSync(path);
      const text = path.toString('latin1').slice(root.length);
      const [attributes] = path.every((byte) => byte < 0x80) ? await system.readAttributes([path.toString()]) : [undefined];
      const values = attributes?.value?.map((one) => `${one.name}=${Buffer.from(one.value).toString('hex')}`) ?? [];
      lines.push(`${text} ${stats.isFile() ? hashFile(path) : stats.rdev} ${values.join(',')}`);
      if (stats.isDirectory()) await visit(path);
    }
  };
  await visit(Buffer.from(root));
  return lines.toSorted((a, b) => (a < b ? -1 : 1));
}

function hashFile(path: Buffer): string {
  return createHash('sha256').update(fs.readFileSync(path)).digest('hex');
}

export function diskUsage(path: string): number {
  return fs.statSync(path).blocks * 512;
}
