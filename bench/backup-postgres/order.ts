/** The server that is backed up. */
export interface ServerPlace {
  readonly data: string;
  readonly stateDir: string;
  readonly port: number;
  /** Directory of its programs; the embedded one when absent. */
  readonly bin: string | undefined;
}

/** Of repositories that are gone when they were measured: no secret. */
export const benchPassword = 'of no use';
export const benchService = 'bench';

/** What a process of Holdfast is to do. */
export type HoldfastOrder = { readonly repository: string; readonly server?: ServerPlace } & (
  | { readonly work: 'init' | 'full' | 'incremental' }
  | { readonly work: 'restore'; readonly target: string }
);

export interface HoldfastFigures {
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly writtenBytes: number;
}

export interface HoldfastResult extends HoldfastFigures {
  /** From the opening of the repository on: what an agent, which runs anyway, would have taken. */
  readonly workMs: number;
}
