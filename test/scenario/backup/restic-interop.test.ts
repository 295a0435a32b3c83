import { createHash, randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkRepository } from '../../../src/backup/check/check.ts';
import { repairIndex } from '../../../src/backup/check/repair-index.ts';
import { initRepository, type OpenOptions, openRepository } from '../../../src/backup/open/open-repository.ts';
import type { OpenedRepository } from '../../../src/backup/open/opened-repository.ts';
import type { Repository, Snapshot } from '../../../src/backup/repository.ts';
import type { TreeNode } from '../../../src/backup/tree/node.ts';
import { sealDocument } from '../../../src/backup/documents/sealed.ts';
import { decodeTree, encodeTree } from '../../../src/backup/tree/tree.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock, createRandom } from '../../../src/runtime/index.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { hasRestic, Restic } from './restic.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const { signal } = new AbortController();
const password = 'correct horse';
/** restic itself takes half a second for each of its keys; ours for tests take a few milliseconds. */
const kdfCost = { N: 1024, r: 8, p: 1 };
const stamp = '2026-11-22T14:03:07.123456789Z';
const mebibyte = 1024 * 1024;

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'holdfast-restic-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

async function locationAt(name: string): Promise<{ readonly path: string; readonly location: LocalLocation }> {
  const path = join(scratch, name);
  await mkdir(path, { recursive: true });
  return { path, location: new LocalLocation(name, path, runtime) };
}

async function open(location: LocalLocation, options: Partial<OpenOptions> = {}): Promise<OpenedRepository> {
  return await openRepository(location, { password, ...options }, runtime, { signal });
}

/** Files that restic is to give back, by name: of no bytes, small, compressible, not compressible. */
function someFiles(): Map<string, Buffer> {
  return new Map([
    ['empty', Buffer.alloc(0)],
    ['noise', randomBytes(3 * mebibyte)],
    ['small', Buffer.from('a line\n')],
    ['text', Buffer.from('the same line again and again\n'.repeat(100_000))],
    ['ünïcödé "quoted"\n', Buffer.from('with a strange name')],
  ]);
}

function nodeOf(name: string, more: Partial<TreeNode>): TreeNode {
  return { name, type: 'file', mode: 0o644, mtime: stamp, atime: stamp, ctime: stamp, uid: 0, gid: 0, inode: 7n, links: 1, ...more };
}

/** Stores files in one directory as a snapshot; large ones in pieces. */
async function saveFiles(repository: Repository, files: ReadonlyMap<string, Buffer>, tags: readonly string[] = []): Promise<Snapshot> {
  await using writer = await repository.write({ signal });
  const nodes: TreeNode[] = [];
  for (const [name, bytes] of files) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / mebibyte) }, (_, index) =>
      bytes.subarray(index * mebibyte, (index + 1) * mebibyte),
    );
    const saved = await Promise.all(pieces.map((piece) => writer.saveBlob('data', piece)));
    nodes.push(nodeOf(name, { size: bytes.length, content: saved.map(({ id }) => id) }));
  }
  const directory = await writer.saveBlob('tree', encodeTree(nodes));
  const root = await writer.saveBlob('tree', encodeTree([nodeOf('srv', { type: 'dir', mode: 2 ** 31 + 0o755, subtree: directory.id })]));
  return await writer.saveSnapshot({ time: stamp, tree: root.id, paths: ['/srv'], hostname: 'here', username: 'me', tags: [...tags] });
}

/** Every file of a snapshot, by path, with all trees encoded anew to the same bytes. */
async function loadFiles(repository: Repository, tree: string, path = ''): Promise<Map<string, string>> {
  const document = await repository.loadBlob('tree', tree, { signal });
  const nodes = decodeTree(document, tree);
  expect(Buffer.from(encodeTree(nodes)).equals(document), `the tree of ${path} comes out as restic wrote it`).toBe(true);
  const found = new Map<string, string>();
  for (const { name, subtree, content } of nodes) {
    if (subtree !== undefined) for (const [key, value] of await loadFiles(repository, subtree, `${path}/${name}`)) found.set(key, value);
    if (content === undefined) continue;
    const hash = createHash('sha256');
    for (const id of content) hash.update(await repository.loadBlob('data', id, { signal }));
    found.set(`${path}/${name}`, hash.digest('hex'));
  }
  return found;
}

/** Every file of a directory with its checksum: what must not change. */
async function listing(path: string): Promise<Map<string, string>> {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sums = await Promise.all(files.map(async (file) => [file, hashOf(await readFile(file))] as const));
  return new Map(sums.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe.runIf(hasRestic())('restic and Holdfast in one repository (skipped where restic is absent)', () => {
  test.each([1, 2] as const)('restic checks, lists and restores ours, and adds to it (version %i)', async (version) => {
    const { path, location } = await locationAt(`ours-${version}`);
    await initRepository(location, { password, version, kdfCost }, runtime, { signal });
    const restic = new Restic(path, password);
    const files = someFiles();
    {
      await using repository = await open(location);
      await saveFiles(repository, files, ['nightly']);
    }
    expect(restic.run('check', '--read-data')).toContain('no errors were found');
    const [listed] = JSON.parse(restic.run('snapshots', '--json')) as [Record<string, unknown>];
    expect(listed).toMatchObject({ time: stamp, paths: ['/srv'], hostname: 'here', username: 'me', tags: ['nightly'] });

    const target = join(scratch, `restored-${version}`);
    restic.run('restore', 'latest', '--target', target);
    for (const [name, bytes] of files) expect((await readFile(join(target, 'srv', name))).equals(bytes), name).toBe(true);

    restic.run('backup', '--host', 'there', target);
    await using repository = await open(location);
    const report = await checkRepository(repository, { signal, readData: { kind: 'all' } });
    expect(report).toMatchObject({ ok: true, damages: [], snapshots: 2, unusedBlobs: 0, strayPacks: [] });
    expect(report.packsRead).toBe(report.packs);
  });

  test.each(['1', '2'])('we check, read and add to a repository of restic (version %s)', async (version) => {
    const { path, location } = await locationAt(`theirs-${version}`);
    const source = join(scratch, `source-${version}`);
    await mkdir(join(source, 'below'), { recursive: true });
    for (const [name, bytes] of someFiles()) await writeFile(join(source, 'below', name), bytes);
    await writeFile(Buffer.from([...Buffer.from(`${source}/`), 0xff, 0x41, 0xe2, 0x82]), 'a name that is no text');
    await symlink('/etc/<&>', join(source, 'link'));
    const restic = new Restic(path, password);
    restic.run('init', '--repository-version', version);
    restic.run('backup', source);

    await using repository = await open(location);
    expect(repository.version).toBe(Number(version));
    expect(await checkRepository(repository, { signal, readData: { kind: 'all' } })).toMatchObject({ ok: true, snapshots: 1 });
    const snapshot = await repository.snapshot('latest', { signal });
    const loaded = await loadFiles(repository, snapshot.tree);
    for (const [name, bytes] of someFiles()) {
      if (name !== 'noise') expect(loaded.get(`${source}/below/${name}`)).toBe(hashOf(bytes));
    }
    expect(loaded.size).toBe(someFiles().size + 1);

    // What they have is not stored again: same bytes, same id.
    {
      await using writer = await repository.write({ signal });
      const small = await writer.saveBlob('data', Buffer.from('a line\n'));
      expect(small).toMatchObject({ isNew: false, storedBytes: 0 });
    }
    const added = await saveFiles(repository, new Map([['new', randomBytes(2 * mebibyte)]]));
    expect(restic.run('check', '--read-data')).toContain('no errors were found');
    expect(restic.run('ls', added.id)).toContain('/srv/new');
  });

  test('a key that either adds opens for the other', async () => {
    const { path, location } = await locationAt('keys');
    await initRepository(location, { password, kdfCost }, runtime, { signal });
    const restic = new Restic(path, password);
    await writeFile(join(scratch, 'second'), 'of restic');
    restic.run('key', 'add', '--new-password-file', join(scratch, 'second'));
    {
      await using repository = await open(location, { password: 'of restic' });
      const id = await repository.addKey('of ours', { signal, kdfCost });
      expect(JSON.parse(new Restic(path, 'of ours').run('key', 'list', '--json'))).toHaveLength(3);
      const keys = await Array.fromAsync(repository.keys({ signal }));
      expect(keys.filter(({ current }) => current)).toHaveLength(1);
      await expect(repository.removeKey(keys.find(({ current }) => current)!.id, { signal })).rejects.toMatchObject({
        code: 'BACKUP_KEY_IN_USE',
      });
      await expect(repository.addKey('', { signal })).rejects.toMatchObject({ code: 'BACKUP_PASSWORD_EMPTY' });
      await repository.removeKey(id.slice(0, 10), { signal });
      await repository.changePassword('of restic, changed', { signal, kdfCost });
    }
    expect(new Restic(path, 'of ours').try(['key', 'list']).status).not.toBe(0);
    expect(JSON.parse(new Restic(path, 'of restic, changed').run('key', 'list', '--json'))).toHaveLength(2);
    await expect(open(location, { password: 'of ours' })).rejects.toMatchObject({ code: 'BACKUP_PASSWORD_WRONG' });
  });

  test('locks are honoured both ways', async () => {
    const { path, location } = await locationAt('locks');
    await initRepository(location, { password, kdfCost }, runtime, { signal });
    const restic = new Restic(path, password);
    await using repository = await open(location);
    await saveFiles(repository, new Map([['a', Buffer.from('a')]]));
    {
      await using _shared = await repository.lock({ signal });
      expect(restic.run('snapshots')).toContain('/srv');
      expect(restic.try(['prune']).stderr).toMatch(/already locked by PID/);
    }
    {
      await using _exclusive = await repository.lock({ signal, exclusive: true });
      expect(restic.try(['snapshots']).stderr).toMatch(/already locked exclusively by PID/);
    }
    // A backup of restic that waits for its input holds its shared lock.
    const environment = { PATH: process.env['PATH'], HOME: path, RESTIC_PASSWORD: password };
    const backup = spawn('restic', ['-r', path, '--no-cache', 'backup', '--stdin'], {
      env: environment,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(backup, 'exit');
    while ((await Array.fromAsync(repository.locks({ signal }))).length === 0) await runtime.clock.sleep(50);
    await expect(repository.maintain({ signal })).rejects.toMatchObject({
      code: 'BACKUP_LOCKED',
      message: expect.stringContaining(`process ${backup.pid} `),
    });
    await (await repository.lock({ signal }))[Symbol.asyncDispose]();
    // Its holder is dead: nobody needs to unlock.
    backup.kill('SIGKILL');
    await ended;
    expect(await Array.fromAsync(repository.locks({ signal }))).toHaveLength(1);
    await (await repository.maintain({ signal }))[Symbol.asyncDispose]();
    expect(await readdir(join(path, 'locks'))).toEqual([]);
  });

  test('damage is found and told by what is lost, and nothing is written over it', async () => {
    const { path: whole, location } = await locationAt('whole');
    await initRepository(location, { password, kdfCost }, runtime, { signal });
    {
      await using repository = await open(location);
      await saveFiles(
        repository,
        new Map([
          ['a', randomBytes(2 * mebibyte)],
          ['b', randomBytes(1000)],
        ]),
        ['one'],
      );
      await saveFiles(repository, new Map([['c', randomBytes(1000)]]), ['two']);
    }
    const dataPack = await largestPack(whole);

    const flipped = await damagedCopy(whole, 'flipped', (bytes) => (bytes[5000]! ^= 1), dataPack);
    await using repository = await open(flipped);
    expect(await checkRepository(repository, { signal })).toMatchObject({ ok: true });
    const report = await checkRepository(repository, { signal, readData: { kind: 'all' } });
    expect(report.ok).toBe(false);
    expect(report.damages).toMatchObject([{ kind: 'pack', id: dataPack, lost: { files: 1, snapshots: [expect.any(String)] } }]);
    expect(report.damages[0]!.lost.examples[0]).toMatch(/^[0-9a-f]{8}:\/srv\/a$/);
    expect(new Restic(join(scratch, 'flipped'), password).try(['check', '--read-data']).status).not.toBe(0);

    const cut = await damagedCopy(whole, 'cut', undefined, dataPack);
    await truncate(join(scratch, 'cut/data', dataPack.slice(0, 2), dataPack), 1000);
    const before = await listing(join(scratch, 'cut'));
    await using cutRepository = await open(cut);
    const cutReport = await checkRepository(cutRepository, { signal });
    expect(cutReport.damages).toMatchObject([
      { kind: 'pack', id: dataPack, problem: expect.stringContaining('has 1000 bytes'), lost: { files: 2 } },
    ]);
    expect(await listing(join(scratch, 'cut'))).toEqual(before);
    const repair = await repairIndex(cutRepository, { signal });
    expect([...repair.packsUnreadable.keys()]).toEqual([dataPack]);
    const repaired = await checkRepository(cutRepository, { signal });
    expect(repaired.damages.map(({ kind }) => kind)).toEqual(['blob', 'blob', 'blob']);
    expect(repaired.strayPacks).toEqual([dataPack]);
  });

  test('an index that is lost or damaged is made anew from the packs', async () => {
    const { path, location } = await locationAt('reindex');
    await initRepository(location, { password, kdfCost }, runtime, { signal });
    {
      await using repository = await open(location);
      await saveFiles(repository, someFiles());
    }
    const [index] = await readdir(join(path, 'index'));
    await writeFile(join(path, 'index', index!), 'nonsense');
    await expect(open(location)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED', message: expect.stringContaining(`index ${index}`) });
    {
      await using repository = await open(location, { skipsDamagedIndexes: true });
      const report = await checkRepository(repository, { signal });
      expect(report.damages.map(({ kind }) => kind).toSorted()).toEqual(['blob', 'index']);
      expect(await repairIndex(repository, { signal })).toMatchObject({ damagedIndexes: 1, packsRead: 2, packsGone: 0, changed: true });
      expect(await repairIndex(repository, { signal })).toMatchObject({ changed: false });
    }
    await using repository = await open(location);
    expect(await checkRepository(repository, { signal, readData: { kind: 'all' } })).toMatchObject({ ok: true, snapshots: 1 });
    expect(new Restic(path, password).run('check', '--read-data')).toContain('no errors were found');
  });

  test('what can not be opened is refused, and nothing is written', async () => {
    const { path: whole, location } = await locationAt('refusals');
    await expect(open(location)).rejects.toMatchObject({ code: 'BACKUP_NO_REPOSITORY' });
    await initRepository(location, { password, kdfCost }, runtime, { signal });
    await expect(initRepository(location, { password, kdfCost }, runtime, { signal })).rejects.toMatchObject({ code: 'BACKUP_EXISTS' });
    const before = await listing(whole);
    await expect(open(location, { password: 'wrong' })).rejects.toMatchObject({ code: 'BACKUP_PASSWORD_WRONG' });
    expect(await listing(whole)).toEqual(before);

    const damagedConfig = await locationAt('damaged-config');
    await cp(whole, damagedConfig.path, { recursive: true });
    const config = await readFile(join(whole, 'config'));
    config[20]! ^= 1;
    await rm(join(damagedConfig.path, 'config'));
    await writeFile(join(damagedConfig.path, 'config'), config);
    await expect(open(damagedConfig.location)).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining('config'),
    });

    await using repository = await open(location);
    const later = sealDocument(repository.parts.files.key, JSON.stringify({ version: 3, id: 'ab'.repeat(32) }), { compressed: false });
    await damagedConfig.location.put('config', [later], { signal });
    const untouched = await listing(damagedConfig.path);
    const refusal = { code: 'BACKUP_VERSION_UNKNOWN', message: expect.stringContaining('version 3') };
    await expect(open(damagedConfig.location)).rejects.toMatchObject(refusal);
    expect(await listing(damagedConfig.path)).toEqual(untouched);
    expect(new Restic(damagedConfig.path, password).try(['snapshots']).status).not.toBe(0);
  });

  test('Safety: killed at any moment of a backup, the repository is whole for both. Method: SIGKILL at random moments', async () => {
    const { path, location } = await locationAt('killed');
    await initRepository(location, { password, kdfCost }, runtime, { signal });
    const restic = new Restic(path, password);
    let snapshots = 0;
    for (let round = 0; round < 3; round += 1) {
      const child = spawn(process.execPath, [fileURLToPath(new URL('./endless-writer.ts', import.meta.url)), path, password], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const reported = text(child.stdout);
      const exited = once(child, 'exit');
      await once(child.stdout, 'readable');
      await runtime.clock.sleep(50 + round * 130);
      child.kill('SIGKILL');
      await exited;
      snapshots += (await reported).split('\n').length - 1;
      await using repository = await open(location, { packBytes: mebibyte });
      const report = await checkRepository(repository, { signal, readData: { kind: 'all' } });
      expect(report, `round ${round}`).toMatchObject({ ok: true, damages: [] });
      // The last one may have been written and not reported.
      expect(report.snapshots - snapshots).toBeGreaterThanOrEqual(0);
      snapshots = report.snapshots;
    }
    expect(snapshots).toBeGreaterThan(0);
    restic.run('unlock');
    expect(restic.run('check', '--read-data')).toContain('no errors were found');
  });
});

async function largestPack(path: string): Promise<string> {
  const names = await readdir(join(path, 'data'), { recursive: true, withFileTypes: true });
  const packs = names.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    packs.map(async (entry) => [(await readFile(join(entry.parentPath, entry.name))).length, entry.name] as const),
  );
  return sizes.toSorted(([a], [b]) => b - a)[0]![1];
}

/** A copy of a repository in which one pack is changed. */
async function damagedCopy(
  from: string,
  name: string,
  change: ((bytes: Buffer) => void) | undefined,
  pack: string,
): Promise<LocalLocation> {
  const { path, location } = await locationAt(name);
  await cp(from, path, { recursive: true });
  if (change !== undefined) {
    const file = join(path, 'data', pack.slice(0, 2), pack);
    const bytes = await readFile(file);
    change(bytes);
    await rm(file);
    await writeFile(file, bytes);
  }
  return location;
}
