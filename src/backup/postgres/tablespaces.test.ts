import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkPlaces, parseTablespaceMap, renderTablespaceMap } from './tablespaces.ts';

test('a map is read as it is written, whatever characters a path has', () => {
  const places = ['/srv/fast', '/with space/x', '/with\nline\rfeeds', String.raw`/back\slash\n`, '/ends with \\'].map(
    (location, index) => ({
      oid: String(16_384 + index),
      location,
    }),
  );
  expect(parseTablespaceMap(renderTablespaceMap(places))).toEqual(places);
  expect(renderTablespaceMap([{ oid: '1', location: '/a\nb' }])).toBe('1 /a\\\nb\n');
  expect(parseTablespaceMap('')).toEqual([]);
});

test('places that hold something, overlap or are given twice are refused', async () => {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-places-'));
  try {
    const at = (name: string): string => join(root, name);
    const check = (targets: string[], overwrite = false) =>
      checkPlaces(
        at('data'),
        targets.map((target, index) => ({ name: `t${index}`, target })),
        overwrite,
      );
    for (const name of [
      'server/PG_17_202406281',
      'server/holdfast.partial-1/PG_17_202406281',
      'other',
      'kept/lost+found',
      'kept/holdfast.aside-1',
    ])
      await mkdir(at(name), { recursive: true });
    await writeFile(at('other/file'), '');
    await check([at('absent'), at('kept')]);
    // Gone over only where the data directory says that it is its own: that may be another database's, which runs.
    await expect(check([at('server')], true)).rejects.toMatchObject({ code: 'BACKUP_TABLESPACE_REFUSED' });
    await check([at('server/holdfast.partial-1')], true);
    await mkdir(at('data/pg_tblspc'), { recursive: true });
    await symlink(at('server'), at('data/pg_tblspc/16384'));
    await check([at('server')], true);
    await rm(at('data/pg_tblspc/16384'));
    await writeFile(at('data/tablespace_map'), renderTablespaceMap([{ oid: '16384', location: at('server') }]));
    await check([at('server')], true);
    const refused = expect.objectContaining({ code: 'BACKUP_TABLESPACE_REFUSED' });
    for (const targets of [
      [at('server')],
      [at('other')],
      [at('other/file')],
      ['relative'],
      [at('data')],
      [at('data/inside')],
      [root],
      [at('absent'), at('absent')],
    ])
      await expect(check(targets)).rejects.toEqual(refused);
    await expect(check([at('other')], true)).rejects.toEqual(refused);
  } finally {
    await rm(root, { recursive: true });
  }
});
