import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listSnapshot } from '../browse/list.ts';
import { createFixedCutter } from '../chunk/cutter.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import type { Snapshot } from '../repository.ts';
import { forever as signal, hastyRuntime, openMemoryRepository } from '../testing/repositories.ts';
import type { TreeNode } from '../tree/node.ts';
import { backupFiles, type BackupFilesOptions, type BackupResult } from './backup.ts';
import { backupStream } from './stream.ts';

let root: string;
let repository: OpenedRepository;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-backup-'));
  repository = await openMemoryRepository();
});
afterEach(async () => {
  await repository[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

function write(path: string, content: string | Buffer = path): string {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
  return join(root, path);
}

function backup(options: Partial<BackupFilesOptions> = {}): Promise<BackupResult> {
  return backupFiles(repository, hastyRuntime, { paths: ['.'], base: root, host: 'test', signal, ...options });
}

async function nodes(snapshot: Snapshot | undefined): Promise<Map<string, TreeNode>> {
  const listed = await Array.fromAsync(listSnapshot(repository, snapshot!, { signal }));
  return new Map(listed.map(({ path, node }) => [path, node]));
}

async function names(options: Partial<BackupFilesOptions>): Promise<string[]> {
  return [...(await nodes((await backup(options)).snapshot)).keys()];
}

describe('what is taken', () => {
  test('absolute paths stand where they stood; those within others once', async () => {
    write('a/b/file');
    const { snapshot } = await backupFiles(repository, hastyRuntime, { paths: [`${root}/a/b`, `${root}/a`, `${root}/a/b/file`], signal });
    expect(snapshot?.paths).toEqual([`${root}/a/b`, `${root}/a`, `${root}/a/b/file`]);
    const found = [...(await nodes(snapshot)).keys()];
    expect(found.slice(-3)).toEqual([`${root}/a`, `${root}/a/b`, `${root}/a/b/file`]);
  });

  test('a path outside of the base is refused', async () =>
    await expect(backup({ paths: ['..'] })).rejects.toMatchObject({ code: 'BACKUP_SOURCE_OUTSIDE' }));

  test('excludes', async () => {
    for (const path of ['keep', 'x.log', 'sub/y.log', 'sub/deep/z', 'Thumbs.DB']) write(path);
    expect(await names({ select: { exclude: ['*.log', '/**/deep'], excludeIgnoringCase: ['thumbs.db'] } })).toEqual(['/keep', '/sub']);
    expect(await names({ select: { exclude: ['*', '!sub', '*.log'] } })).toEqual(['/sub', '/sub/deep', '/sub/deep/z']);
    await expect(backup({ select: { exclude: ['a['] } })).rejects.toMatchObject({ code: 'BACKUP_PATTERN_INVALID' });
  });

  test('marked directories, caches, large files', async () => {
    write('cache/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n# more');
    write('cache/content');
    write('fake/CACHEDIR.TAG', 'Signature: something else');
    write('fake/content');
    write('no/.nobackup', '');
    write('no/content');
    write('large', Buffer.alloc(2000));
    expect(
      await names({ select: { excludeCaches: true, excludeIfPresent: [{ name: '.nobackup' }], excludeLargerThanBytes: 1000 } }),
    ).toEqual(['/cache', '/fake', '/no', '/cache/CACHEDIR.TAG', '/fake/CACHEDIR.TAG', '/fake/content', '/no/.nobackup']);
  });

  test('other file systems stay out, but for the directory they are mounted on', async () => {
    const { snapshot } = await backupFiles(repository, hastyRuntime, {
      paths: ['/dev'],
      select: { oneFileSystem: true, exclude: ['/dev/disk', '/dev/block', '/dev/char', '/dev/bus'] },
      signal,
    });
    const found = [...(await nodes(snapshot)).keys()];
    expect(found).toContain('/dev/null');
    expect(found).toContain('/dev/shm');
    expect(found.filter((path) => path.startsWith('/dev/pts/'))).toEqual([]);
  });
});

describe('a clock that went back', () => {
  const at = (ms: number) => ({ clock: { ...hastyRuntime.clock, wallMs: () => ms } });
  const hour = 3_600_000;

  test('makes no snapshot before the last one, of files or of a stream', async () => {
    write('a');
    const nowMs = Date.parse('2030-01-31T12:00:00Z');
    const ofFiles = (ms: number) => backupFiles(repository, at(ms), { paths: ['.'], base: root, host: 'test', signal });
    const ofStream = (ms: number) =>
      backupStream(
        repository,
        at(ms),
        (async function* () {
          yield Buffer.from('dump');
        })(),
        { name: '/dump', host: 'test', signal },
      );
    for (const make of [ofFiles, ofStream]) {
      await make(nowMs);
      await expect(make(nowMs - hour)).rejects.toMatchObject({
        code: 'BACKUP_CLOCK_BACKWARDS',
        message: expect.stringContaining('2030-01-31T11:00:00Z'),
      });
      // Machines differ by minutes.
      expect((await make(nowMs - 60_000)).isComplete).toBe(true);
    }
    expect((await Array.fromAsync(repository.snapshots({ signal }))).length).toBe(4);
  });
});

describe('what can not be read', () => {
  test('is told, and the rest is taken', async () => {
    write('good');
    const { snapshot, issues, isComplete } = await backupFiles(repository, hastyRuntime, {
      paths: [join(root, 'good'), join(root, 'absent'), '/proc/self/mem'],
      signal,
    });
    expect(isComplete).toBe(false);
    expect(issues.map(({ path, kind }) => [path, kind])).toEqual([
      ['/proc/self/mem', 'unreadable'],
      [join(root, 'absent'), 'vanished'],
    ]);
    expect([...(await nodes(snapshot)).keys()]).toContain(join(root, 'good'));
  });

  test('when it is all, there is no snapshot', async () => {
    await expect(backup({ paths: ['absent'] })).rejects.toMatchObject({ code: 'BACKUP_SOURCE_MISSING' });
    expect(await Array.fromAsync(repository.snapshots({ signal }))).toEqual([]);
  });

  test('what grows, shrinks or goes while it is read', async () => {
    for (const name of ['grows', 'shrinks']) write(name, randomBytes(3_000_000));
    const gone = write('zzz');
    let isFirst = true;
    const { snapshot, issues, isComplete } = await backup({
      filesAtOnceMax: 1,
      cutterFor: (path) => {
        // It is open by now.
        if (path.endsWith('grows')) appendFileSync(path, 'more');
        if (path.endsWith('shrinks')) truncateSync(path, 1_000_000);
        if (isFirst) unlinkSync(gone);
        isFirst = false;
        return createFixedCutter(1_000_000);
      },
    });
    expect(issues.map(({ path, kind }) => [path.split('/').at(-1), kind])).toEqual([
      ['grows', 'changed'],
      ['shrinks', 'changed'],
      ['zzz', 'vanished'],
    ]);
    expect(isComplete).toBe(false);
    const stored = await nodes(snapshot);
    expect([stored.get('/grows')?.size, stored.get('/shrinks')?.size]).toEqual([3_000_000, 1_000_000]);
  });

  test('what goes after it was looked at, before its attributes are read', async () => {
    const [first, second] = [write('first'), write('second')];
    class Followed extends Set<string> {
      override has(path: string): boolean {
        // The first has been looked at by now.
        if (path === second) rmSync(first, { force: true });
        return false;
      }
    }
    const { snapshot, issues, isComplete } = await backup({ mayBlock: true, followed: new Followed() });
    expect(issues).toEqual([{ path: first, kind: 'vanished', message: 'it went while it was looked at' }]);
    expect(isComplete).toBe(false);
    expect([...(await nodes(snapshot)).keys()]).toEqual(['/second']);
  });

  test('what became another kind of file in the meantime is not opened for good', async () => {
    write('a', randomBytes(1000));
    const later = write('b', 'file');
    const { issues } = await backup({
      filesAtOnceMax: 1,
      cutterFor: () => {
        unlinkSync(later);
        symlinkSync('/etc/passwd', later);
        return createFixedCutter(1_000_000);
      },
    });
    expect(issues.map(({ kind }) => kind)).toEqual(['unreadable']);
  });
});

describe('with a parent', () => {
  /** Changes of the last milliseconds are read again: let them be older. */
  const age = async (): Promise<void> => {
    while (Date.parse(new Date(hastyRuntime.clock.wallMs()).toISOString()) < begin + 20)
      await new Promise((resolve) => setImmediate(resolve));
  };
  let begin = 0;
  beforeEach(() => {
    begin = hastyRuntime.clock.wallMs();
  });

  test('unchanged files are not read, and the tree is the same', async () => {
    for (const name of ['a', 'sub/b']) write(name, randomBytes(5000));
    await age();
    const first = await backup();
    const read: string[] = [];
    const second = await backup({ cutterFor: (path) => (read.push(path), createFixedCutter(1000)) });
    expect(read).toEqual([]);
    expect(second.snapshot).toMatchObject({ tree: first.snapshot?.tree, parent: first.snapshot?.id });
    expect(second.summary).toMatchObject({ filesUnmodified: 2, dirsUnmodified: 1, dataBlobs: 0, treeBlobs: 0, addedBytes: 0 });
    expect((await backup({ skipIfUnchanged: true })).snapshot).toBeUndefined();
    expect((await backup({ parent: 'none' })).summary.filesNew).toBe(2);
  });

  test.each([
    ['other content of the same size and time', (path: string) => (writeFileSync(path, 'B'.repeat(9)), utimesSync(path, 1, 1))],
    [
      'another file by the same name',
      (path: string) => (writeFileSync(`${path}2`, 'B'.repeat(9)), utimesSync(`${path}2`, 1, 1), renameSync(`${path}2`, path)),
    ],
  ])('%s is noticed', async (_, change) => {
    const path = write('file', 'A'.repeat(9));
    utimesSync(path, 1, 1);
    await age();
    await backup();
    change(path);
    const { snapshot, summary } = await backup();
    expect(summary.filesChanged).toBe(1);
    const [id] = (await nodes(snapshot)).get('/file')!.content!;
    expect(Buffer.from(await repository.loadBlob('data', id!, { signal })).toString()).toBe('B'.repeat(9));
  });

  describe('of which pieces are known', () => {
    const pieceBytes = 1000;
    const inPieces = { cutterFor: () => createFixedCutter(pieceBytes), distrustTimes: true };
    const contentOf = async ({ snapshot }: BackupResult): Promise<Buffer> =>
      Buffer.concat(
        await Promise.all((await nodes(snapshot)).get('/file')!.content!.map((id) => repository.loadBlob('data', id, { signal }))),
      );

    test('the others alone are read, whatever became of its length', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(5500), fc.nat(5500), fc.uniqueArray(fc.nat(5), { maxLength: 6 }), async (before, after, changed) => {
          const old = randomBytes(before);
          write('file', old);
          const first = await backup({ ...inPieces, parent: 'none' });
          const now = Buffer.concat([old.subarray(0, after), randomBytes(Math.max(0, after - before))]);
          for (const piece of changed) randomBytes(pieceBytes).copy(now, piece * pieceBytes);
          write('file', now);
          const knownPieces = { pieceBytes, mayDiffer: () => (piece: number) => changed.includes(piece) };
          const second = await backup({ ...inPieces, parent: first.snapshot!, knownPieces });
          expect(await contentOf(second)).toEqual(now);
          const lengthOf = (piece: number, size: number): number => Math.max(0, Math.min(pieceBytes, size - piece * pieceBytes));
          const taken = [0, 1, 2, 3, 4, 5].filter(
            (piece) => !changed.includes(piece) && lengthOf(piece, before) === lengthOf(piece, after),
          );
          expect(second.summary.readBytes).toBe(after - taken.reduce((sum, piece) => sum + lengthOf(piece, after), 0));
        }),
        { numRuns: 12 },
      );
    });

    test('a parent that was cut otherwise, or whose blobs are gone, gives none', async () => {
      write('file', randomBytes(5000));
      const knownPieces = { pieceBytes, mayDiffer: () => () => false };
      const other = await backup({ ...inPieces, cutterFor: () => createFixedCutter(999), parent: 'none' });
      expect((await backup({ ...inPieces, parent: other.snapshot!, knownPieces })).summary.readBytes).toBe(5000);
      const alike = await backup({ ...inPieces, cutterFor: () => createFixedCutter(1001), parent: 'none' });
      expect((await backup({ ...inPieces, parent: alike.snapshot!, knownPieces })).summary.readBytes).toBe(5000);
    });

    test('a file that becomes shorter while it is read is read whole', async () => {
      const path = write('file', randomBytes(5000));
      const first = await backup({ ...inPieces, parent: 'none' });
      const knownPieces = {
        pieceBytes,
        // It is open by now, and its length was looked at.
        mayDiffer: () => (piece: number) => (truncateSync(path, 2500), piece > 2),
      };
      const second = await backup({ ...inPieces, parent: first.snapshot!, knownPieces });
      expect((await contentOf(second)).length).toBe(2500);
      expect(second.issues.map(({ kind }) => kind)).toEqual(['changed']);
    });
  });

  test('a file whose blobs are gone is read again', async () => {
    write('file', randomBytes(1000));
    await age();
    const { snapshot } = await backup();
    const other = await openMemoryRepository();
    repository = other;
    expect((await backup({ parent: snapshot! })).summary).toMatchObject({ dataBlobs: 1 });
  });
});

test('each file with several names is read once', async () => {
  const path = write('a', randomBytes(1000));
  linkSync(path, join(root, 'b'));
  const read: string[] = [];
  const { snapshot } = await backup({ cutterFor: (file) => (read.push(file), createFixedCutter(1000)) });
  expect(read).toHaveLength(1);
  const [a, b] = [(await nodes(snapshot)).get('/a')!, (await nodes(snapshot)).get('/b')!];
  expect(a).toEqual({ ...b, name: 'a' });
  expect(a.links).toBe(2);
});

test('many directories, deep and wide, in bounded work', async () => {
  for (let index = 0; index < 300; index += 1) write(`wide/${index}/file`);
  write(`${'d/'.repeat(100)}file`);
  const { summary } = await backup();
  expect(summary).toMatchObject({ filesNew: 301, dirsNew: 401 });
});

test('an aborted backup leaves no snapshot and lets go', async () => {
  for (let index = 0; index < 50; index += 1) write(`f${index}`, randomBytes(50_000));
  const stop = new AbortController();
  let items = 0;
  const running = backup({ signal: stop.signal, onProgress: () => (items += 1) > 3 && stop.abort(new Error('enough')) });
  await expect(running).rejects.toThrow('enough');
  expect(await Array.fromAsync(repository.snapshots({ signal }))).toEqual([]);
  expect(await Array.fromAsync(repository.files('lock', { signal }))).toEqual([]);
  await expect(backup()).resolves.toMatchObject({ isComplete: true });
});

describe('a stream', () => {
  async function* of(...parts: (string | Buffer)[]): AsyncGenerator<Buffer> {
    for (const part of parts) yield Buffer.from(part);
  }

  test('becomes one file', async () => {
    const data = randomBytes(3_000_000);
    const { snapshot, summary } = await backupStream(repository, hastyRuntime, of(data.subarray(0, 7), '', data.subarray(7)), {
      name: 'dumps/orders.sql',
      signal,
    });
    expect(summary).toMatchObject({ processedBytes: 3_000_000, filesNew: 1 });
    const file = (await nodes(snapshot)).get('/dumps/orders.sql')!;
    const blobs = await Promise.all(file.content!.map((id) => repository.loadBlob('data', id, { signal })));
    expect(Buffer.concat(blobs).equals(data)).toBe(true);
    expect(snapshot?.paths).toEqual(['/dumps/orders.sql']);
  });

  test('that is empty, or fails, is no backup', async () => {
    await expect(backupStream(repository, hastyRuntime, of(), { name: 'a', signal })).rejects.toMatchObject({
      code: 'BACKUP_STREAM_EMPTY',
    });
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(10);
      throw new Error('pg_dump failed');
    }
    await expect(backupStream(repository, hastyRuntime, failing(), { name: 'a', signal })).rejects.toThrow('pg_dump failed');
    await expect(backupStream(repository, hastyRuntime, of('x'), { name: '/../', signal })).rejects.toMatchObject({
      code: 'BACKUP_STREAM_NAME',
    });
    expect(await Array.fromAsync(repository.snapshots({ signal }))).toEqual([]);
    await backupStream(repository, hastyRuntime, of(), { name: 'a', allowEmpty: true, signal });
  });
});
