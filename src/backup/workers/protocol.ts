import type { SealingKey } from '../crypto/seal.ts';
import type { JobKind, Jobs } from './jobs.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly key: SealingKey;
}

/** A job for a worker; it does them one by one. */
export interface Order {
  readonly kind: JobKind;
  readonly input: Jobs[JobKind]['input'];
}

/** Its result, or why there is none. Errors lose their class on the way: those that are expected go with their code. */
export type Report =
  | { readonly output: Jobs[JobKind]['output'] }
  | { readonly failure: { readonly message: string; readonly code?: string; readonly hint?: string } };
