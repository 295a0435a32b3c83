import type { CallOptions } from '../location.ts';
import type { Verify } from './mirror/restic-keys.ts';
import type { Finding, Problem } from './scrub-findings.ts';

export interface ScrubOptions extends CallOptions {
  /** Bytes read per second, of all parts together. Default: no limit. */
  readonly rateBytes?: number | undefined;
  /** Goes on behind this key: the last one of a scrub that was ended. */
  readonly after?: string | undefined;
  /** Of a combined location: heals what it finds. Default: true. */
  readonly heal?: boolean | undefined;
  /** Of parity: removes what is too little to make an object and older than a write can last. Default: false, as it may be the rest of a loss. */
  readonly removeRemnants?: boolean | undefined;
  /** Tells damaged objects of a plain location. Default: those whose keys hold their hash, as in a restic repository. */
  readonly verify?: Verify | undefined;
  /** After each object. */
  readonly onProgress?: ((progress: ScrubProgress) => void) | undefined;
}

export interface ScrubProgress {
  /** The last object that is done with: what `after` takes. Empty before the first one. */
  readonly position: string;
  readonly objects: number;
  /** How many there were when it began. */
  readonly objectsAll: number;
  /** Read from all parts. */
  readonly bytes: number;
  readonly healed: number;
  /** Problems found and not healed. */
  readonly open: number;
}

export interface ScrubReport extends ScrubProgress {
  /** The first of them; `counts` has all. */
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Partial<Record<Problem, number>>>;
  /** Objects that no key or checksum tells the content of: read, not verified. */
  readonly unverified: number;
}

/** Findings that a report names. */
const findingsMax = 1_000;

/** Counts what a scrub sees. */
export class ScrubTally {
  readonly findings: Finding[] = [];
  readonly counts: Partial<Record<Problem, number>> = {};
  unverified = 0;
  #progress: ScrubProgress;
  readonly #report: ((progress: ScrubProgress) => void) | undefined;

  constructor(objectsAll: number, { after = '', onProgress }: Pick<ScrubOptions, 'after' | 'onProgress'>) {
    this.#progress = { position: after, objects: 0, objectsAll, bytes: 0, healed: 0, open: 0 };
    this.#report = onProgress;
  }

  read(sizeBytes: number): void {
    this.#progress = { ...this.#progress, bytes: this.#progress.bytes + sizeBytes };
  }

  found(finding: Finding): void {
    this.counts[finding.problem] = (this.counts[finding.problem] ?? 0) + 1;
    if (this.findings.length < findingsMax) this.findings.push(finding);
    const { healed, open } = this.#progress;
    this.#progress = { ...this.#progress, healed: healed + Number(finding.healed), open: open + Number(!finding.healed) };
  }

  done(position: string): void {
    this.#progress = { ...this.#progress, position, objects: this.#progress.objects + 1 };
    this.#report?.(this.#progress);
  }

  report(): ScrubReport {
    return { ...this.#progress, findings: this.findings, counts: this.counts, unverified: this.unverified };
  }
}
