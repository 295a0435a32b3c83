import { HoldfastError } from '../../../core/errors.ts';
import { judgePath, parsePattern, partsOf, type Pattern } from '../../patterns/pattern.ts';

/** What of a snapshot is restored; patterns as those of excludes, on paths within what is restored. Either include or exclude. */
export interface RestoreFilter {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly ignoreCase?: boolean;
}

/** Whether a path is restored, and whether something below it may be. */
export type RestoreSelection = (path: string) => { readonly selected: boolean; readonly below: boolean };

/** @throws BACKUP_PATTERN_INVALID, BACKUP_FILTER_INVALID */
export function createRestoreSelection({ include = [], exclude = [], ignoreCase = false }: RestoreFilter): RestoreSelection {
  if (include.length > 0 && exclude.length > 0) {
    throw new HoldfastError('BACKUP_FILTER_INVALID', 'a restore either includes or excludes', {
      hint: 'take back what is included with a pattern that begins with "!"',
    });
  }
  const parse = (texts: readonly string[]): Pattern[] => texts.map((text) => parsePattern(text, { ignoreCase }));
  const included = parse(include);
  const excluded = parse(exclude);
  if (included.length > 0) {
    return (path) => {
      const { matched, belowMayMatch } = judgePath(included, partsOf(path));
      return { selected: matched, below: matched || belowMayMatch };
    };
  }
  const takesBack = excluded.some((pattern) => pattern.isNegated);
  return (path) => {
    const selected = excluded.length === 0 || !judgePath(excluded, partsOf(path)).matched;
    return { selected, below: selected || takesBack };
  };
}
