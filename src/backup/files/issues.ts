import { messageOf } from '../../core/errors.ts';
import { codeOf } from './path.ts';

/**
 * What a backup could not take as it should: `unreadable` and `vanished` are not in the snapshot (or lack something), `changed` was written to
 * while it was read: what is stored may be neither its old nor its new state. `damaged` is stored as it is, which is not as it was written.
 */
export interface BackupIssue {
  readonly path: string;
  readonly kind: 'unreadable' | 'vanished' | 'changed' | 'damaged';
  readonly message: string;
}

/** So many are told one by one; the others are counted. */
export const issuesToldMax = 1000;

export interface IssueList {
  readonly told: readonly BackupIssue[];
  readonly count: number;
  /** Whether something is missing from the snapshot. */
  readonly isIncomplete: boolean;
  add(issue: BackupIssue): void;
  /** An error of the system about a file. Anything else is thrown on: it is no matter of one file. */
  addError(path: string, error: unknown): void;
}

export function createIssueList(onIssue?: (issue: BackupIssue) => void): IssueList {
  const told: BackupIssue[] = [];
  let count = 0;
  let isIncomplete = false;
  return {
    told,
    get count() {
      return count;
    },
    get isIncomplete() {
      return isIncomplete;
    },
    add(issue) {
      count += 1;
      if (issue.kind === 'unreadable' || issue.kind === 'vanished') isIncomplete = true;
      if (told.length < issuesToldMax) told.push(issue);
      onIssue?.(issue);
    },
    addError(path, error) {
      const code = codeOf(error);
      if (!systemErrors.test(code)) throw error;
      this.add({ path, kind: code === 'ENOENT' ? 'vanished' : 'unreadable', message: messageOf(error) });
    },
  };
}

/** EACCES, EIO and so on; not ERR_INVALID_ARG_TYPE, ABORT_ERR, nor codes of Holdfast. */
const systemErrors = /^E(?!RR_)[A-Z0-9]+$/;
