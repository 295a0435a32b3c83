// The work that takes processor time, as pure functions of what they are given: run on a worker thread, or in place when it is little.
import type { SealingKey } from '../crypto/seal.ts';
import type { OwnBytes } from '../documents/bytes.ts';
import { damaged } from '../documents/damaged.ts';
import { sha256 } from '../documents/ids.ts';
import { openDocument } from '../documents/sealed.ts';
import { type FlatIndex, flattenIndex } from '../index/flat-index.ts';
import { decodeIndex } from '../index/index-file.ts';
import type { PackEntry } from '../pack/header.ts';
import { inspectHeader, inspectSlice, type PackFault, type PackSlice, unsealBlob } from '../pack/inspect.ts';
import { comparePieces, type FileToCompare, type PiecesCompared } from '../reading/compare-pieces.ts';
import { type FileLook, lookAtFiles } from '../reading/look-at-files.ts';
import { type OwnRun, sealRun } from '../reading/sealed-run.ts';
import { type BlobToWrite, type RunOutcome, writeRun } from '../reading/write-run.ts';
import type { BlobId, BlobType, FileId } from '../repository.ts';

/** A blob as it is stored, and what is needed to open it. */
export interface StoredBlob {
  readonly stored: OwnBytes;
  readonly id: BlobId;
  readonly plainSizeBytes: number;
  readonly compressed: boolean;
}

/**
 * Every kind of job: what goes in, what comes out. Bytes that go in belong to the job from then on, those that come out to the caller; none
 * is ever seen by two jobs at once.
 */
export interface Jobs {
  /** The id of a blob, and its bytes back. */
  readonly hash: { readonly input: { readonly data: OwnBytes }; readonly output: { readonly id: BlobId; readonly data: OwnBytes } };
  readonly seal: {
    readonly input: { readonly type: BlobType; readonly id: BlobId; readonly data: OwnBytes; readonly compresses: boolean };
    readonly output: OwnRun;
  };
  /** Undefined: what is stored is not that blob. */
  readonly open: { readonly input: StoredBlob; readonly output: { readonly data: OwnBytes | undefined } };
  /** Bytes of a pack from `offset` on, whose blobs go to files; hashes are left to who reads them back. */
  readonly write: {
    readonly input: {
      readonly stored: OwnBytes;
      readonly offset: number;
      readonly blobs: readonly BlobToWrite[];
      readonly isReadBack: boolean;
    };
    readonly output: RunOutcome;
  };
  /** Which pieces files hold as they should be. */
  readonly compare: { readonly input: { readonly files: readonly FileToCompare[] }; readonly output: PiecesCompared };
  readonly look: {
    readonly input: { readonly paths: readonly string[] };
    readonly output: { readonly looks: readonly (FileLook | undefined)[] };
  };
  /** What is wrong with a slice of a pack; with the last one, whether header and index agree. */
  readonly inspect: {
    readonly input: {
      readonly stored: OwnBytes;
      readonly slice: PackSlice;
      readonly header: { readonly packBytes: number; readonly entries: readonly PackEntry[] } | undefined;
    };
    readonly output: { readonly faults: readonly PackFault[] };
  };
  readonly index: {
    readonly input: { readonly id: FileId; readonly stored: OwnBytes };
    readonly output: FlatIndex;
  };
}

export type JobKind = keyof Jobs;
type Job<Kind extends JobKind> = (key: SealingKey, input: Jobs[Kind]['input']) => Jobs[Kind]['output'];

export const jobs: { readonly [Kind in JobKind]: Job<Kind> } = {
  hash: (_key, { data }) => ({ id: sha256(data), data }),
  seal: (key, { type, id, data, compresses }) => sealRun(key, type, [{ id, data }], compresses),
  open: (key, blob) => ({ data: openBlob(key, blob) }),
  write: (key, { stored, offset, blobs, isReadBack }) => writeRun(key, stored, offset, blobs, isReadBack),
  compare: (_key, { files }) => comparePieces(files),
  look: (_key, { paths }) => ({ looks: lookAtFiles(paths) }),
  inspect: (key, { stored, slice, header }) => ({
    faults: [
      ...(header === undefined ? [] : inspectHeader(key, stored, header.packBytes, header.entries)),
      ...inspectSlice(key, stored, slice),
    ],
  }),
  index: (key, { id, stored }) => {
    const what = `index ${id}`;
    if (sha256(stored) !== id) throw damaged(what, 'does not match its name');
    return flattenIndex(decodeIndex(openDocument(key, stored, what), what).packs);
  },
};

/** Does a job on whichever thread it is. Bytes that went in and do not come out again are given back at once: the collector would let them pile up. */
export function performJob(key: SealingKey, kind: JobKind, input: Jobs[JobKind]['input']): Jobs[JobKind]['output'] {
  let done = buffersOf(input);
  try {
    const output = (jobs[kind] as Job<JobKind>)(key, input);
    const stays = new Set(buffersOf(output));
    done = done.filter((buffer) => !stays.has(buffer));
    return output;
  } finally {
    for (const buffer of done) if (!buffer.detached) buffer.transferToFixedLength(0);
  }
}

/** Buffers in an input or output that change hands. */
export function buffersOf(value: object): ArrayBuffer[] {
  return Object.values(value).flatMap((member) => {
    if (member instanceof Uint8Array) return [member.buffer as ArrayBuffer];
    return Array.isArray(member) && member[0] instanceof Uint8Array ? member.map((one: OwnBytes) => one.buffer) : [];
  });
}

/** The plain bytes; undefined when what is stored, which is overwritten, is not that blob. */
export function openBlob(key: SealingKey, { stored, id, plainSizeBytes, compressed }: Readonly<StoredBlob>): OwnBytes | undefined {
  const opened = unsealBlob(key, stored, { id, plainSizeBytes, compressed });
  return typeof opened === 'string' ? undefined : opened.slice();
}
