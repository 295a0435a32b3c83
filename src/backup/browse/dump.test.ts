import { expect, test } from 'vitest';
import { forever as signal, openMemoryRepository } from '../testing/repositories.ts';
import { dumpSnapshot } from './dump.ts';

const time = '2026-11-22T14:03:07Z';
const stamps = { mode: 0o644, uid: 0, gid: 0, mtime: time, atime: time, ctime: time };

test('an archive has no name that leads elsewhere, and says at its end that some were left out', async () => {
  await using repository = await openMemoryRepository();
  await using writer = await repository.write({ signal });
  const { id } = await writer.saveBlob('data', Buffer.from('bytes'));
  const treeOf = async (nodes: readonly object[]) => (await writer.saveBlob('tree', Buffer.from(JSON.stringify({ nodes })))).id;
  const file = (name: string) => ({ name, type: 'file', ...stamps, size: 5, content: [id] });
  const directory = (name: string, subtree: string) => ({ name, type: 'dir', ...stamps, mode: 0o755, subtree });
  const inner = await treeOf([file('inner')]);
  const link = { name: 'link', type: 'symlink', ...stamps, linktarget: '/etc' };
  const bad = ['../up', '/etc/passwd', 'a/b', '', '.', '..'];
  const tree = await treeOf([
    ...bad.map(file),
    directory('..', inner),
    directory('below', inner),
    file('good'),
    link,
    directory('link', inner),
  ]);
  const snapshot = await writer.saveSnapshot({ time, tree, paths: ['/'], hostname: 'evil', username: '' });

  const pieces: Uint8Array[] = [];
  const dump = async () => {
    for await (const piece of dumpSnapshot(repository, snapshot, { path: '/', signal })) pieces.push(piece);
  };
  await expect(dump()).rejects.toMatchObject({
    code: 'BACKUP_DAMAGED',
    message: expect.stringContaining('"../up" leads elsewhere') as unknown,
  });
  const blocks = Buffer.concat(pieces);
  const names: string[] = [];
  for (let at = 0; blocks.toString('latin1', at + 257, at + 262) === 'ustar';) {
    names.push(blocks.toString('latin1', at, at + 100).replace(/\0.*$/s, ''));
    at += 512 * (1 + Math.ceil(Number.parseInt(blocks.toString('latin1', at + 124, at + 135), 8) / 512));
  }
  expect(names).toEqual(['good', 'link', 'below/', 'below/inner']);
});
