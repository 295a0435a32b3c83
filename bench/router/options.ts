import { parseArgs } from 'node:util';
import { wayNames, type WayName } from './ways.ts';

export const help = `npm run bench -- router [options]

pgbench with one server: direct, through the built-in router, through HAProxy and through PgBouncer (in transaction mode), in turns.

  --seconds N          each turn (5)
  --rounds N           turns of each (5)
  --clients N          (8)
  --scale N            of pgbench's tables (10)
  --ways LIST          ${wayNames.join(', ')} (all that are installed)
  --postgres-bin PATH  (/usr/lib/postgresql/15/bin; on Debian postgresql-15 has pgbench too)
  --json FILE          all raw values`;

export interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly clients: number;
  readonly scale: number;
  readonly ways: readonly WayName[];
  readonly postgresBin: string;
  readonly json: string | undefined;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '5' },
      clients: { type: 'string', default: '8' },
      scale: { type: 'string', default: '10' },
      ways: { type: 'string', default: wayNames.join(',') },
      'postgres-bin': { type: 'string', default: '/usr/lib/postgresql/15/bin' },
      json: { type: 'string' },
    },
  });
  if (values.help === true) return undefined;
  const positive = (name: 'seconds' | 'rounds' | 'clients' | 'scale'): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: '${values[name]}' is no positive number`);
    return value;
  };
  const ways = wayNames.filter((name) => values.ways.split(',').includes(name));
  if (ways.length !== values.ways.split(',').length) throw new Error(`--ways: '${values.ways}' names others than ${wayNames.join(', ')}`);
  return {
    seconds: positive('seconds'),
    rounds: positive('rounds'),
    clients: positive('clients'),
    scale: positive('scale'),
    ways,
    postgresBin: values['postgres-bin'],
    json: values.json,
  };
}
