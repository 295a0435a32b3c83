import { HoldfastError } from '../core/errors.ts';

/** Keys and indexes from the top of the document to a value. */
export type Path = readonly (string | number)[];

/** Something wrong with a value, before it is known where in the file that stands. */
export interface Finding {
  readonly path: Path;
  /** The key is meant, not its value. */
  readonly atKey?: boolean;
  readonly message: string;
}

/** One thing to correct in a configuration file. */
export interface ConfigProblem {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `services.orders.router.write`; empty for the whole file. */
  readonly path: string;
  /** What was found, what is allowed. */
  readonly message: string;
}

/** Beyond so many, the first ones are the cause of the rest. */
const problemsToldMax = 50;

/** All that is wrong with a configuration, at once. */
export class ConfigError extends HoldfastError {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(
    file: string,
    found: readonly ConfigProblem[],
    hint = 'Correct the lines above; holdfast config schema describes every key.',
  ) {
    const problems = found.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const told = problems.slice(0, problemsToldMax);
    const lines = told.map(({ line, column, path, message }) => `  ${file}:${line}:${column}  ${path ? `${path}: ` : ''}${message}`);
    if (told.length < problems.length) lines.push(`  … and ${problems.length - told.length} more`);
    super('CONFIG_INVALID', `${file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}\n${lines.join('\n')}`, {
      hint,
    });
    this.file = file;
    this.problems = problems;
  }
}

/** `['services', 'orders', 'after', 0]` → `services.orders.after[0]`. */
export function formatPath(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}
