import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { parseSizeBytes } from '../../src/core/units.ts';
import { contenders, type Contender } from './files/contest.ts';

export const help = `npm run bench -- backup [options]

Backs up, restores and checks the same files with Holdfast, restic and borg, one after the other on the same disk, each with its defaults. The files
are made by seed: half of the bytes can hardly be compressed, half are text and pages of a database; big files and thousands of small ones.
Rows: first (an empty repository), unchanged, changed (2 %), restore, check (with all data). Told are wall time, wall time until all is on the disk,
processor time with children, the most memory that was resident, and the bytes of the repository. Every restored tree is compared with its source, byte for byte.

  --only LIST         contenders: ${contenders.join(',')} (those that are installed)
  --size SIZE         of the files (2GiB)
  --repetitions N     (2)
  --quick             512MiB, once
  --seed N            (1)
  --cold              drop the system's caches before each run; needs root
  --directory DIR     where all of it lies; about five times the size is needed (${tmpdir()})
  --json FILE         all raw values

Exit 0: it was measured, and all restored trees are right; 2: it could not run, or one is not.`;

export interface Options {
  readonly only: readonly Contender[] | undefined;
  readonly sizeBytes: number;
  readonly repetitions: number;
  readonly seed: number;
  readonly cold: boolean;
  readonly directory: string;
  readonly json: string | undefined;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      only: { type: 'string' },
      size: { type: 'string' },
      repetitions: { type: 'string' },
      quick: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      cold: { type: 'boolean', default: false },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
    },
  });
  if (values.help === true) return undefined;
  return {
    only: values.only === undefined ? undefined : contendersOf(values.only),
    sizeBytes: parseSizeBytes(values.size ?? (values.quick ? '512MiB' : '2GiB')),
    repetitions: whole('repetitions', values.repetitions ?? (values.quick ? '1' : '2')),
    seed: whole('seed', values.seed),
    cold: values.cold,
    directory: values.directory,
    json: values.json,
  };
}

function contendersOf(text: string): Contender[] {
  return text.split(',').map((name) => {
    const found = contenders.find((one) => one === name);
    if (found === undefined) throw new Error(`--only: '${name}' is none of ${contenders.join(', ')}`);
    return found;
  });
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: '${text}' is no positive whole number`);
  return value;
}
