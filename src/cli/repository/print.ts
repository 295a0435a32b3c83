import type { Snapshot, TreeNode } from '../../backup/index.ts';
import { permissionsOf } from '../../backup/tree/mode.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printLine } from '../print.ts';
import { paintFor, visible } from '../terminal/style.ts';
import { tableLines, type Cell } from '../terminal/table.ts';

export function shortId(id: string): string {
  return id.slice(0, 8);
}

/** What `--json` tells of a snapshot: restic's document, and its id. */
export function snapshotJson(snapshot: Snapshot): object {
  return { ...snapshot.document, id: snapshot.id, short_id: shortId(snapshot.id) };
}

export function printSnapshots(rows: readonly { readonly snapshot: Snapshot; readonly note?: string }[]): void {
  const columns = [
    { heading: 'ID' },
    { heading: 'TIME' },
    { heading: 'HOST', dispensable: 2 },
    { heading: 'TAGS', dispensable: 3 },
    { heading: 'PATHS', dispensable: 1 },
    { heading: 'KEPT FOR' },
  ];
  const cells = rows.map(({ snapshot, note = '' }): Cell[] =>
    [
      shortId(snapshot.id),
      snapshot.time.replace(/\.\d+/, '').replace('T', ' '),
      snapshot.hostname,
      snapshot.tags.join(','),
      snapshot.paths.join(' '),
      note,
    ].map((text) => ({ text })),
  );
  for (const line of tableLines(columns, cells, paintFor(process.stdout), process.stdout.columns)) printLine(line);
}

const letters: Readonly<Record<string, string>> = { dir: 'd', symlink: 'l', dev: 'b', chardev: 'c', fifo: 'p', socket: 's' };

/** As `ls -l` has it. */
export function formatNode(path: string, node: TreeNode): string {
  const bits = permissionsOf(node.mode);
  const mode = [6, 3, 0]
    .map((shift) => 'rwx'.replaceAll(/./g, (letter, index: number) => (((bits >> shift) & (4 >> index)) === 0 ? '-' : letter)))
    .join('');
  const owner = `${node.user ?? node.uid}:${node.group ?? node.gid}`;
  const target = node.linkTarget === undefined ? '' : ` -> ${visible(node.linkTarget)}`;
  return `${letters[node.type] ?? '-'}${mode} ${owner} ${formatSizeBytes(node.size ?? 0)} ${node.mtime.slice(0, 19).replace('T', ' ')} ${visible(path)}${target}`;
}

export function nodeJson(path: string, node: TreeNode): object {
  const { inode, deviceId, device, content, extendedAttributes: _, ...plain } = node;
  return {
    ...plain,
    path,
    permissions: permissionsOf(node.mode).toString(8),
    ...(inode === undefined ? {} : { inode: String(inode) }),
    ...(deviceId === undefined ? {} : { deviceId: String(deviceId) }),
    ...(device === undefined ? {} : { device: String(device) }),
    ...(content === undefined ? {} : { blobs: content.length }),
  };
}

/** Tells now and then on standard error how far it is; standard output is for the result. */
export function progressTo(options: { readonly json?: boolean }, clock: { monotonicMs(): number }): (text: () => string) => void {
  let lastMs = clock.monotonicMs();
  return (text) => {
    const now = clock.monotonicMs();
    if (options.json === true || !process.stderr.isTTY || now - lastMs < 1000) return;
    lastMs = now;
    process.stderr.write(`${text()}\n`);
  };
}
