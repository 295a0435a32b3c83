import type { BlobId } from '../repository.ts';

export type NodeType = 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo' | 'socket' | 'irregular' | '';

/** One entry of a directory, as in a tree document of restic. Names and link targets are as `nameFromBytes` makes them. */
export interface TreeNode {
  readonly name: string;
  readonly type: NodeType;
  /** As Go's fs.FileMode, unsigned: see `modeFromStat`. */
  readonly mode: number;
  /** RFC 3339 with up to nanoseconds: see `timeFromNs`. */
  readonly mtime: string;
  readonly atime: string;
  readonly ctime: string;
  readonly uid: number;
  readonly gid: number;
  readonly user?: string;
  readonly group?: string;
  readonly inode?: bigint;
  /** Only of files with several hard links. */
  readonly deviceId?: bigint;
  readonly size?: number;
  readonly links?: number;
  readonly linkTarget?: string;
  readonly extendedAttributes?: readonly ExtendedAttribute[];
  /** Of other systems; kept as they are. */
  readonly genericAttributes?: Readonly<Record<string, unknown>>;
  /** Of device nodes: the device that it stands for. */
  readonly device?: bigint;
  /** Of files, in order; an empty file has an empty list, everything else none. */
  readonly content?: readonly BlobId[];
  /** Of directories. */
  readonly subtree?: BlobId;
  readonly error?: string;
  /** Members that this version does not know, kept. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface ExtendedAttribute {
  readonly name: string;
  readonly value: Uint8Array;
}
