import { parseArgs } from 'node:util';

export const help = `npm run bench -- backup-postgres [options]

Backs up and restores one pgbench cluster with Holdfast and with pgBackRest, in turn, on the same disk: full, restore, incremental after 2 % of
the rows changed, delta restore over the first one. Then, on a cluster of the embedded PostgreSQL that summarises WAL, what a base backup of
Holdfast reads, stores and takes when 0, 2 and 20 % of the rows have changed. What was restored is compared with the database, byte for byte.

  --scale N           of pgbench; 100 is 1.5 GB (100)
  --quick             scale 20, once: under three minutes
  --repetitions N     of the comparison (3)
  --pgbackrest LIST   its ways to compress: zst,lz4,gz,none; empty: without it (zst,lz4)
  --bin DIR           programs of a PostgreSQL that pgBackRest knows (/usr/lib/postgresql/15/bin)
  --only PART         comparison or changes
  --json FILE         all raw values

Exit 0: it was measured and what was restored is right; 2: it could not run, or is not.`;

export interface Options {
  readonly scale: number;
  readonly repetitions: number;
  readonly pgbackrest: readonly string[];
  readonly postgresBin: string;
  readonly pgbench: string;
  readonly only: 'comparison' | 'changes' | undefined;
  readonly json: string | undefined;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      quick: { type: 'boolean', default: false },
      scale: { type: 'string' },
      repetitions: { type: 'string' },
      pgbackrest: { type: 'string', default: 'zst,lz4' },
      bin: { type: 'string', default: '/usr/lib/postgresql/15/bin' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.help === true) return undefined;
  const { only, pgbackrest } = values;
  if (only !== undefined && only !== 'comparison' && only !== 'changes')
    throw new Error(`--only: '${only}' is neither comparison nor changes`);
  const ways = pgbackrest === '' ? [] : pgbackrest.split(',');
  for (const way of ways)
    if (!['zst', 'lz4', 'gz', 'none'].includes(way)) throw new Error(`--pgbackrest: '${way}' is none of zst, lz4, gz, none`);
  return {
    scale: whole('scale', values.scale ?? (values.quick ? '20' : '100')),
    repetitions: whole('repetitions', values.repetitions ?? (values.quick ? '1' : '3')),
    pgbackrest: ways,
    postgresBin: values.bin,
    pgbench: `${values.bin}/pgbench`,
    only,
    json: values.json,
  };
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: '${text}' is no positive whole number`);
  return value;
}
