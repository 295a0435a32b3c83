export type { BlobId, BlobPlace, BlobType, FileId, Repository, RepositoryWriter, SavedBlob, Snapshot } from './repository.ts';
