import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import { damaged } from './damaged.ts';
import { isId } from './ids.ts';
import { formatJson } from './json.ts';
import { degree, degreeOf, isIrreducible, randomPolynomial } from './polynomial.ts';

/** What `config` says. */
export interface Configuration {
  readonly version: 1 | 2;
  readonly id: string;
  /** Hexadecimal. */
  readonly chunkerPolynomial: string;
}

export function newConfiguration(version: 1 | 2): Configuration {
  return { version, id: randomBytes(32).toString('hex'), chunkerPolynomial: randomPolynomial().toString(16) };
}

export function encodeConfiguration({ version, id, chunkerPolynomial }: Configuration): string {
  return formatJson({ version, id, chunker_polynomial: chunkerPolynomial });
}

/** @throws BACKUP_VERSION_UNKNOWN, BACKUP_DAMAGED */
export function decodeConfiguration(document: Readonly<Record<string, unknown>>): Configuration {
  const { version, id, chunker_polynomial: polynomial } = document;
  if (version !== 1 && version !== 2) {
    throw new HoldfastError(
      'BACKUP_VERSION_UNKNOWN',
      `the repository has version ${JSON.stringify(version)} of the format; 1 and 2 are known`,
      {
        hint: 'It was made by a later program: use that, or a later version of Holdfast.',
      },
    );
  }
  if (!isId(id)) throw damaged('config', 'has no id');
  if (typeof polynomial !== 'string' || !/^[0-9a-f]{1,16}$/.test(polynomial)) throw damaged('config', 'has no polynomial');
  const value = BigInt(`0x${polynomial}`);
  if (degreeOf(value) !== degree || !isIrreducible(value)) throw damaged('config', 'has a polynomial that is not irreducible of degree 53');
  return { version, id, chunkerPolynomial: polynomial };
}
