import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { manifestProblem, type ReceivedFile } from './backup-manifest.ts';

const hash = (content: string): string => createHash('sha256').update(content).digest('hex');
const file = (content: string): ReceivedFile => ({ sizeBytes: content.length, sha256: hash(content) });

/** As backup_manifest.c writes it. */
function manifest(files: Record<string, string>): string {
  const entries = Object.entries(files).map(
    ([path, content]) =>
      `{ "Path": "${path}", "Size": ${content.length}, "Last-Modified": "2026-01-01 00:00:00 GMT", "Checksum-Algorithm": "SHA256", "Checksum": "${hash(content)}" }`,
  );
  const head = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${entries.join(',\n')}\n],\n"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }\n],\n`;
  return `${head}"Manifest-Checksum": "${hash(head)}"}\n`;
}

const listed = { PG_VERSION: '17\n', 'base/1/1': 'page', 'pg_tblspc/16385/PG_17_1/5/2': 'other' };
const received = (): Map<string, ReceivedFile> => new Map(Object.entries(listed).map(([path, content]) => [path, file(content)]));

test('a backup that came as it was sent is in order, WAL or not', () => {
  const files = received().set('pg_wal/000000010000000000000002', file('wal'));
  expect(manifestProblem(manifest(listed), files)).toBeUndefined();
});

test.each<[string, (files: Map<string, ReceivedFile>) => unknown, RegExp]>([
  ['a file that did not come', (files) => files.delete('base/1/1'), /'base\/1\/1' did not come/],
  ['one cut short', (files) => files.set('base/1/1', file('pag')), /3 bytes instead of 4/],
  ['one altered', (files) => files.set('base/1/1', file('pagE')), /checksum/],
  ['one too many', (files) => files.set('base/1/666', file('x')), /not in the manifest/],
])('%s is found', (_name, damage, expected) => {
  const files = received();
  damage(files);
  expect(manifestProblem(manifest(listed), files)).toMatch(expected);
});

test('an altered or cut manifest is found', () => {
  expect(manifestProblem(manifest(listed).replace('"Size": 4', '"Size": 5'), received())).toMatch(/own checksum/);
  expect(manifestProblem(manifest(listed).slice(0, -20), received())).toMatch(/cut off/);
  expect(manifestProblem('', received())).toMatch(/cut off/);
});
