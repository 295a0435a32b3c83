export { verify } from './documents/ids.ts';
export { initRepository, type InitOptions, type OpenOptions, openRepository } from './open/open-repository.ts';
export type { OpenedRepository } from './open/opened-repository.ts';
export type {
  BlobId,
  BlobPlace,
  BlobType,
  FileId,
  FileKind,
  HeldLock,
  IndexedBlob,
  Repository,
  RepositoryMaintenance,
  RepositoryWriter,
  SavedBlob,
  Snapshot,
  StoredFile,
} from './repository.ts';
export { compareNames, nameFromBytes, nameToBytes } from './tree/name.ts';
export type { ExtendedAttribute, NodeType, TreeNode } from './tree/node.ts';
export { decodeTree, encodeTree } from './tree/tree.ts';
