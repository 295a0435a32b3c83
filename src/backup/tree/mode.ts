// Modes as Go's io/fs.FileMode has them: the lower nine bits are permissions, the kind and the special bits are at the top.
import type { NodeType } from './node.ts';

const goDir = 2 ** 31;
const goSymlink = 2 ** 27;
const goDevice = 2 ** 26;
const goFifo = 2 ** 25;
const goSocket = 2 ** 24;
const goSetuid = 2 ** 23;
const goSetgid = 2 ** 22;
const goCharacterDevice = 2 ** 21;
const goSticky = 2 ** 20;
const goIrregular = 2 ** 19;

/** POSIX: bits of the kind within st_mode. */
const kindMask = 0o170000;
const kinds: readonly { readonly stat: number; readonly go: number; readonly type: NodeType }[] = [
  { stat: 0o100000, go: 0, type: 'file' },
  { stat: 0o040000, go: goDir, type: 'dir' },
  { stat: 0o120000, go: goSymlink, type: 'symlink' },
  { stat: 0o060000, go: goDevice, type: 'dev' },
  { stat: 0o020000, go: goDevice + goCharacterDevice, type: 'chardev' },
  { stat: 0o010000, go: goFifo, type: 'fifo' },
  { stat: 0o140000, go: goSocket, type: 'socket' },
];
const specials: readonly (readonly [stat: number, go: number])[] = [
  [0o4000, goSetuid],
  [0o2000, goSetgid],
  [0o1000, goSticky],
];

/** `mode` and `type` of a node, from st_mode. */
export function modeFromStat(stat: number): { readonly mode: number; readonly type: NodeType } {
  const kind = kinds.find((one) => one.stat === (stat & kindMask)) ?? { go: goIrregular, type: 'irregular' as const };
  let mode = (stat & 0o777) + kind.go;
  for (const [bit, go] of specials) if ((stat & bit) !== 0) mode += go;
  return { mode, type: kind.type };
}

/** The lower twelve bits of st_mode, for chmod: permissions, setuid, setgid, sticky. */
export function permissionsOf(mode: number): number {
  let permissions = mode % 0o1000;
  for (const [bit, go] of specials) if (Math.floor(mode / go) % 2 === 1) permissions += bit;
  return permissions;
}
