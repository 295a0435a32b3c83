import { HoldfastError } from '../../core/errors.ts';

/** One row or element of a file of measurements, with the line on which it begins. */
export interface Entry {
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** @throws MODEL_RECORDS in place of whatever is wrong with a line */
export function invalidRecord(line: number, what: string): HoldfastError {
  return new HoldfastError('MODEL_RECORDS', `line ${line}: ${what}`, {
    hint: 'Give CSV with a header line, or a JSON list of objects with the same keys; docs/model.md names them.',
  });
}
