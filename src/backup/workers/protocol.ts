import type { SealingKey } from '../crypto/seal.ts';
import type { BlobId } from '../repository.ts';
import type { OwnRun } from '../reading/sealed-run.ts';
import type { ReadResult, Segment, WholeFile } from '../reading/read-segments.ts';
import type { JobKind, Jobs } from './jobs.ts';

export interface JobOrder {
  readonly kind: JobKind;
  readonly input: Jobs[JobKind]['input'];
}

/** A job for a worker, which does them one by one; before the first, the key of all of them. */
export type Order =
  | { readonly kind: 'key'; readonly key: SealingKey }
  | JobOrder
  | {
      readonly kind: 'read';
      readonly segments: readonly (Segment | WholeFile)[];
      readonly compresses: boolean;
      readonly answer: SharedArrayBuffer;
    };

/** What a worker that reads asks: it stands still until it has the answer. */
export interface Question {
  readonly ids: readonly BlobId[];
  readonly run: OwnRun | undefined;
}

/** An answer: a word that tells whether there is one, then a byte for each id. */
export const answerHeadBytes = 4;
export const answerStates = { none: 0, given: 1, refused: 2 } as const;

/** Its result, or why there is none. Errors lose their class on the way: those that are expected go with their code. */
export type Report =
  | { readonly question: Question }
  | { readonly output: Jobs[JobKind]['output'] | ReadResult }
  | { readonly failure: { readonly message: string; readonly code?: string; readonly hint?: string } };
