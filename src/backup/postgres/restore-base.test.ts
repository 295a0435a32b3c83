import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forever as signal, openMemoryRepository } from '../testing/repositories.ts';
import type { BlobId } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { encodeTree } from '../tree/tree.ts';
import { restoreBase } from './restore-base.ts';

const time = '2026-11-22T14:03:07Z';
const blobBytes = 8_000_000;

function node(name: string, type: 'file' | 'dir', more: Partial<TreeNode>): TreeNode {
  return { name, type, mode: type === 'file' ? 0o600 : 0o700, uid: 0, gid: 0, mtime: time, atime: time, ctime: time, ...more };
}

test('what does not fit with its tablespaces is refused before the first byte, though each would fit by itself', async () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-base-'));
  const [directory, space] = [join(root, 'data'), join(root, 'space')];
  try {
    await using repository = await openMemoryRepository();
    await using writer = await repository.write({ signal });
    const { id: noise } = await writer.saveBlob('data', randomBytes(blobBytes));
    const { id: version } = await writer.saveBlob('data', Buffer.from('17\n'));
    const { id: map } = await writer.saveBlob('data', Buffer.from(`16384 ${space}\n`));
    const save = async (...nodes: TreeNode[]): Promise<BlobId> => (await writer.saveBlob('tree', encodeTree(nodes))).id;
    const file = (name: string, content: BlobId[], size: number): TreeNode => node(name, 'file', { content, size });
    const noises = (count: number): TreeNode => file('noise', Array<BlobId>(count).fill(noise), count * blobBytes);
    const snapshotOf = async (count: number) => {
      const within = await save(node('PG_17_202406281', 'dir', { subtree: await save(noises(count)) }));
      const spaces = await save(node('16384', 'dir', { subtree: within }));
      const main = [
        file('PG_VERSION', [version], 3),
        noises(count),
        node('pg_tblspc', 'dir', { subtree: spaces }),
        file('tablespace_map', [map], 12),
      ];
      const tree = await save(...main);
      return await writer.saveSnapshot({ time, tree, paths: ['/data'], hostname: 'test', username: '' });
    };
    const order = { directory, overwrite: false, signal };
    const { bavail, bsize } = statfsSync(root);
    const most = await snapshotOf(Math.ceil((0.6 * bavail * bsize) / blobBytes));
    await expect(restoreBase(repository, most, order)).rejects.toMatchObject({ code: 'BACKUP_NO_SPACE' });
    expect(readdirSync(root)).toEqual([]);
    // Found out in the same way.
    mkdirSync(join(space, 'PG_17_202406281'), { recursive: true });
    await expect(restoreBase(repository, await snapshotOf(1), order)).rejects.toMatchObject({ code: 'BACKUP_TABLESPACE_REFUSED' });
    expect(existsSync(directory)).toBe(false);
    rmSync(space, { recursive: true });
    // Cut off in the midst of the tablespace: it is known again for the target's own.
    const cut = new AbortController();
    const onProgress = (): void => {
      if (existsSync(space)) cut.abort(new Error('cut off'));
    };
    const small = await snapshotOf(1);
    await expect(restoreBase(repository, small, { ...order, onProgress, signal: cut.signal })).rejects.toThrow('cut off');
    expect(await restoreBase(repository, small, { ...order, overwrite: true })).toMatchObject({ files: 3, writtenBytes: 0 });
    for (const one of [directory, space]) rmSync(one, { recursive: true });
    expect(await restoreBase(repository, small, order)).toMatchObject({ files: 3, writtenBytes: 2 * blobBytes + 3 });
    expect(readdirSync(join(space, 'PG_17_202406281'))).toEqual(['noise']);
    expect(readdirSync(directory).toSorted()).toEqual(['PG_VERSION', 'noise', 'pg_tblspc', 'tablespace_map']);
  } finally {
    rmSync(root, { recursive: true });
  }
});
