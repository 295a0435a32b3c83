import type { FileId } from '../repository.ts';

/** What is lost by a damage, as far as snapshots need it. */
export interface Loss {
  /** Snapshots of which something can not be restored. */
  readonly snapshots: readonly FileId[];
  /** Files, and directories with all that is in them, that can not be restored whole; each counted once for each snapshot. */
  readonly files: number;
  /** The first of them, as `SNAPSHOT:PATH`. */
  readonly examples: readonly string[];
}

export type DamageKind =
  /** An index file that can not be read: what it alone names is out of reach until the index is repaired. */
  | 'index'
  /** A snapshot that can not be read. */
  | 'snapshot'
  /** A pack that is named by the index and not there, too short, too long, or not what was written. */
  | 'pack'
  /** A blob that a snapshot needs and no index names. */
  | 'blob';

/** Something that is not as it was written. */
export interface Damage {
  readonly kind: DamageKind;
  readonly id: FileId;
  /** What is wrong with it, to be read behind its name. */
  readonly problem: string;
  readonly lost: Loss;
}

/** What a check has found. Sizes in bytes. */
export interface CheckReport {
  /** Whether everything that snapshots need is there, as far as was looked. */
  readonly ok: boolean;
  readonly damages: readonly Damage[];
  /** Damages beyond those listed. */
  readonly moreDamages: number;
  readonly snapshots: number;
  /** Directories that snapshots need, each counted once. */
  readonly trees: number;
  /** Entries of the index, and those of them that no snapshot needs: prune frees them. */
  readonly blobs: number;
  readonly unusedBlobs: number;
  readonly unusedBytes: number;
  readonly packs: number;
  readonly packBytes: number;
  /** Packs that no index names: left by something that was cut off, or still being written. Prune removes them. */
  readonly strayPacks: readonly FileId[];
  readonly packsRead: number;
  readonly bytesRead: number;
}

/** Damages that are listed. */
export const damagesMax = 1000;
/** Stray packs, and examples of what is lost, that are listed. */
export const straysMax = 1000;
export const examplesMax = 10;

/** Collects damages by what they are of; several problems of one thing are one damage. */
export class Damages {
  readonly #found = new Map<
    string,
    { readonly kind: DamageKind; readonly id: string; readonly problems: string[]; readonly loss: LossCount }
  >();
  #more = 0;

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  add(kind: DamageKind, id: string, problem: string): void {
    const known = this.#found.get(`${kind} ${id}`);
    if (known !== undefined) {
      if (!known.problems.includes(problem)) known.problems.push(problem);
    } else if (this.#found.size < damagesMax) this.#found.set(`${kind} ${id}`, { kind, id, problems: [problem], loss: new LossCount() });
    else this.#more += 1;
  }

  /** Notes what is lost by it; nothing happens when it is not listed. */
  addLoss(kind: DamageKind, id: string, snapshot: FileId, path: string): void {
    this.#found.get(`${kind} ${id}`)?.loss.add(snapshot, path);
  }

  list(): { readonly damages: readonly Damage[]; readonly moreDamages: number } {
    const damages = Array.from(this.#found.values(), ({ kind, id, problems, loss }) => ({
      kind,
      id,
      problem: problems.join('; '),
      lost: loss.toLoss(),
    }));
    return { damages, moreDamages: this.#more };
  }
}

class LossCount {
  readonly #snapshots = new Set<FileId>();
  #files = 0;
  readonly #examples: string[] = [];

  add(snapshot: FileId, path: string): void {
    this.#snapshots.add(snapshot);
    this.#files += 1;
    if (this.#examples.length < examplesMax) this.#examples.push(`${snapshot.slice(0, 8)}:${path}`);
  }

  toLoss(): Loss {
    return { snapshots: [...this.#snapshots], files: this.#files, examples: this.#examples };
  }
}
