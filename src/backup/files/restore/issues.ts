import { HoldfastError, messageOf } from '../../../core/errors.ts';
import { codeOf } from '../path.ts';

/**
 * What could not be restored as it should: `damaged` (the repository lacks it, or it was read back otherwise), `unwritable` (the system
 * refused), `metadata` (the file is there, something about it is not), `hostile` (a tree that would write elsewhere).
 */
export interface RestoreIssue {
  readonly path: string;
  readonly kind: 'damaged' | 'unwritable' | 'metadata' | 'hostile';
  readonly message: string;
}

export interface RestoreIssues {
  readonly told: readonly RestoreIssue[];
  readonly count: number;
  add(issue: RestoreIssue): void;
  /** An error about one file; anything else is thrown on. */
  addError(path: string, error: unknown, kind?: RestoreIssue['kind']): void;
  /** The same of one that a thread told. */
  addFailure(path: string, failure: { readonly code: string; readonly message: string }): void;
}

/** So many are told one by one; the others are counted. */
const toldMax = 1000;

export function createRestoreIssues(onIssue?: (issue: RestoreIssue) => void): RestoreIssues {
  const told: RestoreIssue[] = [];
  let count = 0;
  return {
    told,
    get count() {
      return count;
    },
    add(issue) {
      count += 1;
      if (told.length < toldMax) told.push(issue);
      onIssue?.(issue);
    },
    addError(path, error, kind = 'unwritable') {
      const isDamage = error instanceof HoldfastError && (error.code === 'BACKUP_BLOB_MISSING' || error.code === 'BACKUP_DAMAGED');
      // A full disk concerns all that comes after.
      if (!isDamage && (!/^E(?!RR_)[A-Z0-9]+$/.test(codeOf(error)) || codeOf(error) === 'ENOSPC')) throw error;
      this.add({ path, kind: isDamage ? 'damaged' : kind, message: messageOf(error) });
    },
    addFailure(path, { code, message }) {
      this.addError(path, Object.assign(new Error(message), { code }));
    },
  };
}
