import { randomInt } from 'node:crypto';
import { numberOption, parseOptions, UsageError } from '../kit/command-line.ts';
import type { StoreKind } from '../scenario/hosts/store.ts';

const MINUTES_DEFAULT = 10;
const MINUTES_MAX = 7 * 24 * 60;
const SEED_MAX = 2 ** 48 - 1;

export interface SoakArguments {
  readonly minutes: number;
  readonly seed: number;
  readonly coordination: StoreKind;
  /** Where the history is kept; undefined: in a new directory under the system's temporary one. */
  readonly directory: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

export const usage = `Breaks a real cluster on three hosts (network namespaces) by chance, under load, and checks that nothing acknowledged is lost.

  npm run soak -- [--minutes M] [--seed S] [--coordination etcd|zookeeper] [--dir DIRECTORY] [--json]

  --minutes M        default ${MINUTES_DEFAULT}; fractions are allowed
  --seed S           draws the same faults as another run with this seed; what comes of them is as real as the machine
  --coordination     the store with a server on each host; default etcd
  --dir DIRECTORY    where the history of all writes (JSON lines) is kept, and after a failure all logs; default: a new one
  --json             a JSON object per line instead of text

Exit code 0: no finding; 1: a finding; 2: wrong usage, or a machine that can not do this; 130: interrupted. Needs root. See docs/soak.md.
`;

/** @throws UsageError */
export function readArguments(args: readonly string[]): SoakArguments {
  const values = parseOptions(args, {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    coordination: { type: 'string' },
    dir: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  const coordination = values.coordination ?? 'etcd';
  if (coordination !== 'etcd' && coordination !== 'zookeeper')
    throw new UsageError(`--coordination is etcd or zookeeper, not "${coordination}"`);
  return {
    minutes: numberOption('minutes', values.minutes, { min: 0.1, max: MINUTES_MAX, fractions: true }) ?? MINUTES_DEFAULT,
    seed: numberOption('seed', values.seed, { min: 0, max: SEED_MAX }) ?? randomInt(SEED_MAX),
    coordination,
    directory: values.dir,
    json: values.json === true,
    help: values.help === true,
  };
}
