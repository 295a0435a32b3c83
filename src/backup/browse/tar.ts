// The pax interchange format: POSIX.1-2017, "pax", with extended attributes as in star and GNU tar (SCHILY.xattr.NAME).
import { permissionsOf } from '../tree/mode.ts';
import { isText, nameToBytes } from '../tree/name.ts';
import type { TreeNode } from '../tree/node.ts';
import { timeToNs } from '../tree/time.ts';

const blockBytes = 512;
const nameBytesMax = 100;
/** What seven and eleven octal digits hold. */
const idMax = 0o7777777;
const sizeMax = 0o77777777777;
const flags: Readonly<Partial<Record<TreeNode['type'], string>>> = { file: '0', symlink: '2', chardev: '3', dev: '4', dir: '5', fifo: '6' };

/** Whether an archive can hold it: a socket it can not. */
export function fitsTar(node: TreeNode): boolean {
  return flags[node.type] !== undefined;
}

/**
 * The header of one member, with an extended one before it where ustar's fields do not hold everything.
 * @param path relative, without a slash at its end
 * @param linkTo the path of an earlier member that it is a further name of; then no content follows
 */
export function tarHeader(path: string, node: TreeNode, sizeBytes: number, linkTo?: string): Buffer {
  const isDirectory = node.type === 'dir';
  const name = Buffer.from(nameToBytes(isDirectory ? `${path}/` : path));
  const link = Buffer.from(nameToBytes(linkTo ?? node.linkTarget ?? ''));
  const size = linkTo === undefined && node.type === 'file' ? sizeBytes : 0;
  const mtimeNs = timeToNs(node.mtime);
  const seconds = mtimeNs / 1_000_000_000n;
  const records: Buffer[] = [];
  const extend = (key: string, value: string | Uint8Array): unknown => records.push(paxRecord(key, value));
  const isBinary = !isText(path) || !isText(linkTo ?? node.linkTarget ?? '');
  if (isBinary) extend('hdrcharset', 'BINARY');
  if (name.length > nameBytesMax || !isAscii(name)) extend('path', name);
  if (link.length > nameBytesMax || !isAscii(link)) extend('linkpath', link);
  if (size > sizeMax) extend('size', String(size));
  if (node.uid > idMax) extend('uid', String(node.uid));
  if (node.gid > idMax) extend('gid', String(node.gid));
  if (mtimeNs < 0n || mtimeNs % 1_000_000_000n !== 0n || seconds > BigInt(sizeMax)) extend('mtime', decimalSeconds(mtimeNs));
  for (const { name: key, value } of node.extendedAttributes ?? []) extend(`SCHILY.xattr.${key}`, value);

  const header = ustar(name, link, linkTo === undefined ? (flags[node.type] as string) : '1', {
    mode: permissionsOf(node.mode),
    uid: node.uid > idMax ? 0 : node.uid,
    gid: node.gid > idMax ? 0 : node.gid,
    size: size > sizeMax ? 0 : size,
    mtime: mtimeNs < 0n || seconds > BigInt(sizeMax) ? 0 : Number(seconds),
    device: node.device ?? 0n,
    user: node.user ?? '',
    group: node.group ?? '',
  });
  if (records.length === 0) return header;
  const extended = Buffer.concat(records);
  const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0, device: 0n, user: '', group: '' };
  return Buffer.concat([
    ustar(Buffer.from('PaxHeader'), Buffer.alloc(0), 'x', { ...plain, size: extended.length }),
    extended,
    tarPadding(extended.length),
    header,
  ]);
}

/** What fills the last block of a content. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes);

interface UstarFields {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly device: bigint;
  readonly user: string;
  readonly group: string;
}

function ustar(name: Buffer, link: Buffer, flag: string, fields: UstarFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): unknown =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  name.copy(block, 0, 0, nameBytesMax);
  octal(fields.mode, 100, 7);
  octal(fields.uid, 108, 7);
  octal(fields.gid, 116, 7);
  octal(fields.size, 124, 11);
  octal(fields.mtime, 136, 11);
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  link.copy(block, 157, 0, nameBytesMax);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(fields.user, 265, 31, 'utf8');
  block.write(fields.group, 297, 31, 'utf8');
  octal(deviceMajor(fields.device), 329, 7);
  octal(deviceMinor(fields.device), 337, 7);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  return block;
}

/** As Linux encodes st_rdev: sys/sysmacros.h. */
function deviceMajor(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function deviceMinor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}

function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), typeof value === 'string' ? Buffer.from(value) : value, Buffer.from('\n')]);
  // The length counts its own digits.
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function decimalSeconds(ns: bigint): string {
  const away = ns < 0n ? -ns : ns;
  const fraction = (away % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${away / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}
