import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seal } from '../../crypto/seal.ts';
import { openRepository } from '../../open/open-repository.ts';
import type { OpenedRepository } from '../../open/opened-repository.ts';
import type { BlobId, BlobPlace, Snapshot } from '../../repository.ts';
import { forever as signal, hastyRuntime, openMemoryRepository } from '../../testing/repositories.ts';
import { MemoryLocation, type MemoryObjects } from '../../../storage/adapters/memory/index.ts';
import { modeFromStat } from '../../tree/mode.ts';
import type { TreeNode } from '../../tree/node.ts';
import { encodeTree } from '../../tree/tree.ts';
import { backupFiles } from '../backup.ts';
import { openSystemCalls } from '../system.ts';
import { restoreFiles, type RestoreOptions, type RestoreProgress, type RestoreResult } from './restore.ts';
import { unfinishedMark } from './target.ts';

let root: string;
let source: string;
let target: string;
let repository: OpenedRepository;
let objects: MemoryObjects;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-restore-'));
  source = join(root, 'source');
  target = join(root, 'target');
  mkdirSync(source);
  objects = new Map();
  repository = await openMemoryRepository({ objects });
});
afterEach(async () => {
  await repository[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

async function backup(): Promise<Snapshot> {
  return (await backupFiles(repository, hastyRuntime, { paths: ['.'], base: source, signal })).snapshot!;
}

async function restore(snapshot: Snapshot, options: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
  return restoreFiles(repository, snapshot, { target, durable: false, signal, ...options });
}

const read = (...names: string[]): string => readFileSync(join(target, ...names), 'utf8');

describe('the target', () => {
  beforeEach(() => writeFileSync(join(source, 'file'), 'content'));

  test('is made, and holds no mark in the end', async () => {
    expect(await restore(await backup(), { target: join(target, 'deep', 'er'), verify: true })).toMatchObject({
      files: 1,
      verifiedFiles: 1,
      issueCount: 0,
    });
    expect(readdirSync(join(target, 'deep', 'er'))).toEqual(['file']);
  });

  test('that holds something is refused, and left as it was', async () => {
    mkdirSync(target);
    writeFileSync(join(target, 'file'), 'mine');
    await expect(restore(await backup())).rejects.toMatchObject({ code: 'BACKUP_TARGET_NOT_EMPTY' });
    expect(read('file')).toBe('mine');
    expect(readdirSync(target)).toEqual(['file']);
  });

  test('of an unfinished restore of the same snapshot is taken, of another not', async () => {
    const snapshot = await backup();
    mkdirSync(target);
    writeFileSync(join(target, 'fil'), 'half');
    writeFileSync(join(target, unfinishedMark), `${'0'.repeat(64)}\n`);
    await expect(restore(snapshot)).rejects.toMatchObject({ code: 'BACKUP_TARGET_NOT_EMPTY' });
    writeFileSync(join(target, unfinishedMark), `${snapshot.id}\n`);
    await restore(snapshot, { removeOthers: true });
    expect(readdirSync(target)).toEqual(['file']);
  });

  test.each(['/proc/1/target', '/dev/null/target'])('%s can not be one', async (path) =>
    expect(restore(await backup(), { target: path })).rejects.toMatchObject({ code: 'BACKUP_TARGET_UNUSABLE' }),
  );

  test('of a repository that is locked is not made, and that is what is told, even of what its holder has removed', async () => {
    const snapshot = await backup();
    await using holder = await repository.lock({ signal, exclusive: true });
    expect(holder.exclusive).toBe(true);
    // Who looks whether the holder is alive.
    const location = new MemoryLocation('memory', hastyRuntime, objects);
    await using other = await openRepository(location, { password: 'x', threads: 0 }, hastyRuntime, { signal });
    mkdirSync(join(root, 'full'));
    writeFileSync(join(root, 'full', 'file'), 'mine');
    const over = restoreFiles(other, snapshot, { target: join(root, 'full'), overwrite: true, removeOthers: true, lockWaitMs: 0, signal });
    await expect(over).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
    expect([readdirSync(join(root, 'full')), readFileSync(join(root, 'full', 'file'), 'utf8')]).toEqual([['file'], 'mine']);
    for (const gone of [false, true]) {
      if (gone) for (const key of objects.keys()) if (key.includes('data/')) objects.delete(key);
      await expect(restoreFiles(other, snapshot, { target, lockWaitMs: 0, signal })).rejects.toMatchObject({ code: 'BACKUP_LOCKED' });
      expect(existsSync(target)).toBe(false);
    }
  });

  test('of a repository that retention has for itself is made once that is over', async () => {
    const snapshot = await backup();
    const holder = await repository.lock({ signal, exclusive: true });
    let waits = 0;
    const runtime: typeof hastyRuntime = {
      ...hastyRuntime,
      clock: {
        ...hastyRuntime.clock,
        sleep: async () => {
          waits += 1;
          if (waits === 3) await holder[Symbol.asyncDispose]();
        },
      },
    };
    await using other = await openRepository(new MemoryLocation('memory', runtime, objects), { password: 'x', threads: 0 }, runtime, {
      signal,
    });
    await restoreFiles(other, snapshot, { target, signal });
    // Three for the holder, one until our own lock has settled.
    expect([waits, existsSync(target)]).toEqual([4, true]);
  });

  test('too small a disk is told before anything is written', async () => {
    await using writer = await repository.write({ signal });
    const { id } = await writer.saveBlob('data', randomBytes(8_000_000));
    const tree = await save(writer, [node('huge', 0o100644, { content: Array.from({ length: 100_000 }, () => id), size: 8e11 })]);
    const snapshot = await writer.saveSnapshot(document(tree));
    await expect(restore(snapshot)).rejects.toMatchObject({ code: 'BACKUP_NO_SPACE' });
    await expect(restore(snapshot, { target: join(target, 'deep', 'er') })).rejects.toMatchObject({ code: 'BACKUP_NO_SPACE' });
    expect(existsSync(target)).toBe(false);
  });
});

describe('over what is there', () => {
  test('only what differs is read from the repository and written', async () => {
    const data = randomBytes(12_000_000);
    writeFileSync(join(source, 'big'), data);
    writeFileSync(join(source, 'same'), randomBytes(1_000_000));
    const snapshot = await backup();
    await restore(snapshot);
    const changed = Buffer.from(data);
    changed[6_000_000]! ^= 1;
    writeFileSync(join(target, 'big'), changed);
    const result = await restore(snapshot, { overwrite: true });
    expect(result.loadedBlobs).toBe(1);
    expect(result.keptBytes + result.writtenBytes).toBe(13_000_000);
    expect(readFileSync(join(target, 'big')).equals(data)).toBe(true);
  });

  test.each([0, 1, 1_500_000, 4_000_000])('a file of %i bytes becomes what it was', async (size) => {
    const data = randomBytes(3_000_000);
    writeFileSync(join(source, 'file'), data);
    const snapshot = await backup();
    await restore(snapshot);
    truncateSync(join(target, 'file'), size);
    await restore(snapshot, { overwrite: true });
    expect(readFileSync(join(target, 'file')).equals(data)).toBe(true);
  });

  test('zeros are written over what is no zero', async () => {
    writeFileSync(join(source, 'file'), Buffer.concat([Buffer.alloc(2_000_000), randomBytes(10)]));
    const snapshot = await backup();
    mkdirSync(target);
    writeFileSync(join(target, 'file'), randomBytes(3_000_000));
    await restore(snapshot, { overwrite: true });
    expect(readFileSync(join(target, 'file')).equals(readFileSync(join(source, 'file')))).toBe(true);
  });

  test('a file with the same size and time is trusted only when told so', async () => {
    writeFileSync(join(source, 'file'), 'right');
    utimesSync(join(source, 'file'), 5, 5);
    const snapshot = await backup();
    mkdirSync(target);
    writeFileSync(join(target, 'file'), 'wrong');
    utimesSync(join(target, 'file'), 5, 5);
    expect((await restore(snapshot, { overwrite: true, trustTimes: true })).writtenBytes).toBe(0);
    expect(read('file')).toBe('wrong');
    await restore(snapshot, { overwrite: true });
    expect(read('file')).toBe('right');
  });

  test('others stay, or go when told so; other kinds of files are replaced', async () => {
    for (const name of ['dir', 'other']) mkdirSync(join(source, name));
    writeFileSync(join(source, 'dir', 'file'), 'right');
    symlinkSync('dir', join(source, 'link'));
    const snapshot = await backup();
    mkdirSync(join(target, 'more'), { recursive: true });
    writeFileSync(join(target, 'more', 'x'), '');
    writeFileSync(join(target, 'other'), 'a file');
    writeFileSync(join(target, 'link'), 'a file');
    await restore(snapshot, { overwrite: true });
    expect(readdirSync(target)).toEqual(['dir', 'link', 'more', 'other']);
    expect(readlinkSync(join(target, 'link'))).toBe('dir');
    expect(statSync(join(target, 'other')).isDirectory()).toBe(true);
    expect((await restore(snapshot, { overwrite: true, removeOthers: true })).removed).toBe(1);
    expect(readdirSync(target)).toEqual(['dir', 'link', 'other']);
  });

  test('what is there is compared while the lock settles', async () => {
    writeFileSync(join(source, 'file'), randomBytes(3_000_000));
    const snapshot = await backup();
    await restore(snapshot);
    const compared = Promise.withResolvers<void>();
    class Slow extends MemoryLocation {
      override async put(...args: Parameters<MemoryLocation['put']>): Promise<void> {
        if (args[0].startsWith('locks/')) await compared.promise;
        await super.put(...args);
      }
    }
    await using slow = await openMemoryRepository({ objects, around: () => new Slow('slow', hastyRuntime, objects) });
    const onProgress = ({ keptBytes, totalBytes }: RestoreProgress): void => void (keptBytes === totalBytes && compared.resolve());
    const result = await restoreFiles(slow, snapshot, { target, overwrite: true, verify: true, durable: false, onProgress, signal });
    expect(result).toMatchObject({ keptBytes: 3_000_000, writtenBytes: 0, verifiedFiles: 1 });
  });

  test('a link in the place of a directory is replaced, though it leads to the very same files', async () => {
    mkdirSync(join(source, 'dir', 'below'), { recursive: true });
    for (const name of ['one', 'below/two']) writeFileSync(join(source, 'dir', name), `content of ${name}`);
    const snapshot = await backup();
    await restore(snapshot, { target: join(root, 'elsewhere') });
    mkdirSync(target);
    symlinkSync(join(root, 'elsewhere', 'dir'), join(target, 'dir'));
    expect(await restore(snapshot, { overwrite: true, verify: true })).toMatchObject({ issues: [], verifiedFiles: 2, keptBytes: 0 });
    expect(lstatSync(join(target, 'dir')).isDirectory()).toBe(true);
    expect(read('dir', 'below', 'two')).toBe('content of below/two');
    expect(readdirSync(join(root, 'elsewhere', 'dir')).toSorted()).toEqual(['below', 'one']);
  });

  test('names and targets of links that are no text', async () => {
    const bytes = (...parts: number[]): Buffer => Buffer.concat([Buffer.from(`${source}/`), Buffer.from(parts)]);
    writeFileSync(bytes(0xff, 0x41), 'bytes');
    mkdirSync(bytes(0xc3));
    writeFileSync(Buffer.concat([bytes(0xc3), Buffer.from('/x')]), 'below');
    symlinkSync(Buffer.from([0xfe, 0x2f]), join(source, 'link'));
    const snapshot = await backup();
    await restore(snapshot);
    const listed = (): string[] => readdirSync(target, { encoding: 'latin1' }).toSorted();
    expect(listed()).toEqual(['link', '\u00c3', '\u00ffA']);
    expect([...readlinkSync(join(target, 'link'), { encoding: 'buffer' })]).toEqual([0xfe, 0x2f]);
    rmSync(source, { recursive: true });
    mkdirSync(source);
    writeFileSync(join(source, 'other'), '');
    expect((await restore(await backup(), { overwrite: true, removeOthers: true })).removed).toBe(3);
    expect(listed()).toEqual(['other']);
  });

  test('what is wrong with a file besides its content is put right, what is right is left', async () => {
    for (const name of ['mode', 'time', 'read', 'right']) writeFileSync(join(source, name), 'content', { mode: 0o640 });
    const snapshot = await backup();
    await restore(snapshot);
    chmodSync(join(target, 'mode'), 0o4777);
    utimesSync(join(target, 'time'), 5, 5);
    const { mtime } = lstatSync(join(target, 'read'));
    utimesSync(join(target, 'read'), 5, mtime);
    const { ctimeNs } = lstatSync(join(target, 'right'), { bigint: true });
    expect((await restore(snapshot, { overwrite: true })).writtenBytes).toBe(0);
    const facts = (name: string): unknown[] => {
      const { mode, mtimeNs, atimeNs } = lstatSync(join(target, name), { bigint: true });
      return [mode, mtimeNs, atimeNs];
    };
    const { mtimeNs } = lstatSync(join(source, 'right'), { bigint: true });
    expect(facts('right')).toEqual([0o100640n, mtimeNs, mtimeNs]);
    expect(lstatSync(join(target, 'right'), { bigint: true }).ctimeNs).toBe(ctimeNs);
    for (const name of ['mode', 'time', 'read']) {
      const own = lstatSync(join(source, name), { bigint: true });
      expect(facts(name), name).toEqual([own.mode, own.mtimeNs, own.mtimeNs]);
    }
  });

  test.runIf(process.getuid?.() === 0)('owners, and modes that a change of owner leaves or takes away', async () => {
    const modes = { plain: 0o640, setuid: 0o4755, setgid: 0o2750, sticky: 0o1644 };
    for (const [name, mode] of Object.entries(modes)) {
      writeFileSync(join(source, name), 'content');
      chownSync(join(source, name), 12, 34);
      chmodSync(join(source, name), mode);
    }
    const snapshot = await backup();
    const found = (): unknown[] =>
      Object.keys(modes).map((name) => {
        const { uid, gid, mode } = lstatSync(join(target, name));
        return [name, uid, gid, mode & 0o7777];
      });
    const right = Object.entries(modes).map(([name, mode]) => [name, 12, 34, mode]);
    await restore(snapshot);
    expect(found()).toEqual(right);
    for (const [name, mode] of Object.entries(modes)) {
      chownSync(join(target, name), 56, 78);
      chmodSync(join(target, name), mode);
    }
    await restore(snapshot, { overwrite: true });
    expect(found()).toEqual(right);
  });

  test('extended attributes become those of the source', async () => {
    await using system = await openSystemCalls();
    for (const name of ['with', 'without']) writeFileSync(join(source, name), 'content');
    const attribute = (name: string, text: string) => ({ name: `user.${name}`, value: Buffer.from(text) });
    const set = async (path: string, name: string, text: string): Promise<void> => {
      expect(await system!.writeAttribute(path, attribute(name, text))).toMatchObject({ errno: 0 });
    };
    await set(join(source, 'with'), 'mark', 'right');
    const snapshot = await backup();
    for (const name of ['with', 'without']) {
      mkdirSync(target, { recursive: true });
      writeFileSync(join(target, name), 'content');
      for (const which of ['mark', 'other']) await set(join(target, name), which, 'wrong');
    }
    expect((await restore(snapshot, { overwrite: true })).issues).toEqual([]);
    const found = await system!.readAttributes(['with', 'without'].map((name) => join(target, name)));
    expect(found.map(({ value }) => value?.map(({ name, value: bytes }) => [name, Buffer.from(bytes).toString()]))).toEqual([
      [['user.mark', 'right']],
      [],
    ]);
  });

  test('a directory where a file is to be is told, not removed', async () => {
    writeFileSync(join(source, 'file'), 'right');
    writeFileSync(join(source, 'more'), 'right');
    const snapshot = await backup();
    mkdirSync(join(target, 'file', 'precious'), { recursive: true });
    const { issues } = await restore(snapshot, { overwrite: true });
    expect(issues.map(({ path, kind }) => [path, kind])).toEqual([['/file', 'unwritable']]);
    expect(existsSync(join(target, 'file', 'precious'))).toBe(true);
    expect(read('more')).toBe('right');
  });
});

describe('a part', () => {
  beforeEach(() => {
    for (const name of ['a/one', 'a/two', 'b/one']) {
      mkdirSync(join(source, name, '..'), { recursive: true });
      writeFileSync(join(source, name), name);
    }
  });
  const listed = (): string[] => (readdirSync(target, { recursive: true }) as string[]).toSorted();

  test('by include, by exclude, by directory', async () => {
    const snapshot = await backup();
    await restore(snapshot, { filter: { include: ['one'] } });
    expect(listed()).toEqual(['a', 'a/one', 'b', 'b/one']);
    rmSync(target, { recursive: true });
    await restore(snapshot, { filter: { exclude: ['/a/**', '!two'] } });
    expect(listed()).toEqual(['a', 'a/two', 'b', 'b/one']);
    rmSync(target, { recursive: true });
    await restore(snapshot, { from: '/a' });
    expect(listed()).toEqual(['one', 'two']);
  });

  test('nonsense is refused', async () => {
    const snapshot = await backup();
    await expect(restore(snapshot, { filter: { include: ['a'], exclude: ['b'] } })).rejects.toMatchObject({
      code: 'BACKUP_FILTER_INVALID',
    });
    await expect(restore(snapshot, { from: '/absent' })).rejects.toMatchObject({ code: 'BACKUP_PATH_UNKNOWN' });
    await expect(restore(snapshot, { from: '/a/one' })).rejects.toMatchObject({ code: 'BACKUP_PATH_UNKNOWN' });
    expect(existsSync(target)).toBe(false);
  });

  test('others are removed only among what is restored', async () => {
    const snapshot = await backup();
    await restore(snapshot);
    writeFileSync(join(target, 'a', 'x.tmp'), '');
    writeFileSync(join(target, 'b', 'y'), '');
    await restore(snapshot, { overwrite: true, removeOthers: true, filter: { include: ['*.tmp', 'a'] } });
    expect(listed()).toEqual(['a', 'a/one', 'a/two', 'b', 'b/one', 'b/y']);
  });
});

describe('read back', () => {
  test('is what was written; what was compared and left counts as well, what was only taken for the same by its times does not', async () => {
    for (const name of ['kept', 'other', 'empty']) writeFileSync(join(source, name), name === 'empty' ? '' : randomBytes(50_000));
    utimesSync(join(source, 'other'), 1e9, 1e9);
    const snapshot = await backup();
    expect(await restore(snapshot, { verify: true })).toMatchObject({ verifiedFiles: 3 });
    writeFileSync(join(target, 'other'), randomBytes(50_000));
    expect(await restore(snapshot, { verify: true, overwrite: true })).toMatchObject({ verifiedFiles: 3, keptBytes: 50_000 });
    // Rotten, and looks as it was.
    writeFileSync(join(target, 'other'), randomBytes(50_000));
    utimesSync(join(target, 'other'), 1e9, 1e9);
    const { verifiedFiles, issues } = await restore(snapshot, { verify: true, overwrite: true, trustTimes: true });
    expect([verifiedFiles, issues.map(({ path }) => path)]).toEqual([2, ['/other']]);
  });
});

describe('what does not come back whole', () => {
  test('is told, and the rest is restored', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) writeFileSync(join(source, name), randomBytes(100_000));
    linkSync(join(source, 'b'), join(source, 'link'));
    const snapshot = await backup();
    await damage('/b', snapshot);
    const { issues, files } = await restore(snapshot, { verify: true });
    expect(issues.map(({ path, kind }) => [path, kind])).toEqual([
      ['/b', 'damaged'],
      ['/link', 'unwritable'],
    ]);
    expect(files).toBe(3);
    for (const name of ['a', 'c']) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true);
  });

  test('a blob that was sealed as something else is found out when it is read back', async () => {
    for (const name of ['a', 'b']) writeFileSync(join(source, name), randomBytes(100_000));
    const snapshot = await backup();
    await forge('/b', snapshot);
    for (const options of [{ verify: true }, { overwrite: true }, { overwrite: true, verify: true }]) {
      const { issues, files } = await restore(snapshot, options);
      expect(issues.map(({ path, kind }) => [path, kind])).toEqual([['/b', 'damaged']]);
      expect(issues[0]!.message).toMatch(/^data blob .* does not match/);
      expect(files).toBe(1);
    }
    expect(readFileSync(join(target, 'a')).equals(readFileSync(join(source, 'a')))).toBe(true);
  });

  test('and taken from another copy, where there is one', async () => {
    const data = randomBytes(100_000);
    for (const name of ['a', 'b']) writeFileSync(join(source, name), name === 'a' ? randomBytes(50_000) : data);
    const snapshot = await backup();
    const good = await forge('/b', snapshot);
    // A location of several copies tells a good one from a bad one only where the whole pack is asked for.
    class Copies extends MemoryLocation {
      override async get(key: string, options: Parameters<MemoryLocation['get']>[1]): Promise<Uint8Array> {
        return options.range === undefined && key.endsWith(good.packId) ? good.bytes : await super.get(key, options);
      }
    }
    await using several = await openMemoryRepository({ objects, around: () => new Copies('copies', hastyRuntime, objects) });
    const { issues, verifiedFiles } = await restoreFiles(several, snapshot, { target, verify: true, durable: false, signal });
    expect([issues, verifiedFiles]).toEqual([[], 2]);
    expect(readFileSync(join(target, 'b')).equals(data)).toBe(true);
  });

  async function placeOf(path: string, snapshot: Snapshot): Promise<BlobPlace> {
    const { findNode } = await import('../../browse/walk.ts');
    const found = await findNode(repository, snapshot.tree, path, signal);
    return repository.find('data', found!.content![0]!)!;
  }

  /** Changes bytes of the pack; returns it as it was. */
  function change({ packId }: BlobPlace, how: (bytes: Uint8Array) => void): { packId: string; bytes: Uint8Array } {
    const key = [...objects.keys()].find((one) => one.endsWith(packId))!;
    const stored = objects.get(key)!;
    const bytes = Uint8Array.from(stored.bytes);
    how(bytes);
    objects.set(key, { ...stored, bytes });
    return { packId, bytes: stored.bytes };
  }

  async function damage(path: string, snapshot: Snapshot): Promise<void> {
    const place = await placeOf(path, snapshot);
    change(place, (bytes) => (bytes[place.offset + 20]! ^= 1));
  }

  /** Puts another text in the place of a file's first blob, of the same size and sealed by the repository's own key. */
  async function forge(path: string, snapshot: Snapshot): Promise<{ packId: string; bytes: Uint8Array }> {
    const place = await placeOf(path, snapshot);
    expect(place.compressed).toBe(false);
    const sealed = seal(repository.parts.files.key, randomBytes(place.plainSizeBytes));
    return change(place, (bytes) => bytes.set(sealed, place.offset));
  }
});

type Saver = Awaited<ReturnType<OpenedRepository['write']>>;

function node(name: string, stat: number, more: Partial<TreeNode> = {}): TreeNode {
  const time = '2026-11-22T14:03:07.123456789Z';
  return { name, ...modeFromStat(stat), mtime: time, atime: time, ctime: time, uid: process.getuid!(), gid: process.getgid!(), ...more };
}

async function save(writer: Saver, nodes: readonly TreeNode[]): Promise<BlobId> {
  return (await writer.saveBlob('tree', encodeTree(nodes))).id;
}

function document(tree: BlobId): Record<string, unknown> {
  return { time: '2026-11-22T14:03:07Z', tree, paths: ['/'], hostname: 'test', username: 'root' };
}

describe('hostile trees write nothing outside', () => {
  const outside = (): string => join(root, 'outside');

  /** A snapshot of one directory, and of a file `evil` for whoever gets to it. */
  async function hostile(
    make: (writer: Saver, file: Partial<TreeNode>, subtree: BlobId) => TreeNode[] | Promise<TreeNode[]>,
    raw = false,
  ): Promise<Snapshot> {
    mkdirSync(outside());
    await using writer = await repository.write({ signal });
    const { id } = await writer.saveBlob('data', Buffer.from('evil'));
    const file = { content: [id], size: 4, links: 1 };
    const subtree = await save(writer, [node('evil', 0o100644, file)]);
    const nodes = await make(writer, file, subtree);
    if (!raw) return await writer.saveSnapshot(document(await save(writer, nodes)));
    // What no program of ours would write.
    const parts = nodes.map((one) =>
      Buffer.from(encodeTree([one]))
        .toString()
        .slice('{"nodes":['.length, -']}\n'.length),
    );
    const tree = await writer.saveBlob('tree', Buffer.from(`{"nodes":[${parts.join(',')}]}\n`));
    return await writer.saveSnapshot(document(tree.id));
  }

  test.each(['../outside/evil', '..', '.', '/evil', 'a/../../outside/evil', '', 'nul\0'])('the name %j', async (name) => {
    const snapshot = await hostile((_, file) => [node(name, 0o100644, file)]);
    const { issues } = await restore(snapshot);
    expect(issues.map(({ kind }) => kind)).toEqual(['hostile']);
    expect(readdirSync(outside())).toEqual([]);
    expect(readdirSync(target)).toEqual([]);
    expect(readdirSync(root).toSorted()).toEqual(['outside', 'source', 'target']);
  });

  test.each(['../outside', '..'])('a directory by the name %j', async (name) => {
    const snapshot = await hostile((_, _file, subtree) => [node(name, 0o040755, { subtree })]);
    expect((await restore(snapshot)).issueCount).toBe(1);
    expect(readdirSync(outside())).toEqual([]);
  });

  test.each([
    ['link first', (link: TreeNode, directory: TreeNode) => [link, directory]],
    ['directory first', (link: TreeNode, directory: TreeNode) => [directory, link]],
  ])('a link and a directory of one name, %s', async (_, order) => {
    const snapshot = await hostile(
      (_writer, _file, subtree) => order(node('a', 0o120777, { linkTarget: outside() }), node('a', 0o040755, { subtree })),
      true,
    );
    expect((await restore(snapshot)).issueCount).toBe(1);
    expect(readdirSync(outside())).toEqual([]);
  });

  test('links that lie in the target already', async () => {
    const snapshot = await hostile(async (writer, file, subtree) => [
      node('dir', 0o040755, { subtree }),
      node('file', 0o100644, file),
      node('nest', 0o040755, { subtree: await save(writer, [node('deep', 0o040755, { subtree })]) }),
    ]);
    mkdirSync(join(target, 'nest'), { recursive: true });
    writeFileSync(join(outside(), 'victim'), 'unharmed');
    symlinkSync(outside(), join(target, 'dir'));
    symlinkSync(join(outside(), 'victim'), join(target, 'file'));
    symlinkSync(outside(), join(target, 'nest', 'deep'));
    expect((await restore(snapshot, { overwrite: true })).issueCount).toBe(0);
    expect(readdirSync(outside())).toEqual(['victim']);
    expect(readFileSync(join(outside(), 'victim'), 'utf8')).toBe('unharmed');
    for (const path of ['dir/evil', 'file', 'nest/deep/evil']) expect(lstatSync(join(target, path)).isFile()).toBe(true);
  });

  test('a file that has another name outside', async () => {
    const snapshot = await hostile((_, file) => [node('file', 0o100600, file)]);
    mkdirSync(target);
    writeFileSync(join(outside(), 'victim'), 'unharmed');
    chmodSync(join(outside(), 'victim'), 0o644);
    linkSync(join(outside(), 'victim'), join(target, 'file'));
    await restore(snapshot, { overwrite: true });
    expect(readFileSync(join(outside(), 'victim'), 'utf8')).toBe('unharmed');
    expect(statSync(join(outside(), 'victim')).mode & 0o777).toBe(0o644);
    expect(read('file')).toBe('evil');
  });

  test('the target may be reached through a link of its own', async () => {
    const snapshot = await hostile((_, file) => [node('file', 0o100644, file)]);
    mkdirSync(join(root, 'real'));
    symlinkSync(join(root, 'real'), target);
    await restore(snapshot);
    expect(readdirSync(join(root, 'real'))).toEqual(['file']);
  });
});
