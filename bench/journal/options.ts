import { parseArgs } from 'node:util';

export const help = `npm run bench -- journal [options]

What is lost when every process of every node is killed at once under load and the database is brought back from the copies alone: with a journal
of every second, and with one that commits wait for. And what both cost: pgbench with one primary and two replicas of which one acknowledges,
without a journal, with it, and waiting for it, in turns.

  --repetitions N      kills, and half as many while commits wait for the journal; turns of each kind (20)
  --seconds N          each turn (4)
  --clients N          of pgbench (8)
  --scale N            of pgbench's tables (10)
  --postgres-bin PATH  for the turns (/usr/lib/postgresql/15/bin; on Debian postgresql-15 has pgbench too)
  --only PART          losses or cost (both)
  --json FILE          all raw values`;

export interface Options {
  readonly repetitions: number;
  readonly seconds: number;
  readonly clients: number;
  readonly scale: number;
  readonly postgresBin: string;
  readonly only: 'losses' | 'cost' | undefined;
  readonly json: string | undefined;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      repetitions: { type: 'string', default: '20' },
      seconds: { type: 'string', default: '4' },
      clients: { type: 'string', default: '8' },
      scale: { type: 'string', default: '10' },
      'postgres-bin': { type: 'string', default: '/usr/lib/postgresql/15/bin' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.help === true) return undefined;
  const positive = (name: 'repetitions' | 'seconds' | 'clients' | 'scale'): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: '${values[name]}' is no positive number`);
    return value;
  };
  const { only } = values;
  if (only !== undefined && only !== 'losses' && only !== 'cost') throw new Error(`--only: '${only}' is neither losses nor cost`);
  return {
    repetitions: positive('repetitions'),
    seconds: positive('seconds'),
    clients: positive('clients'),
    scale: positive('scale'),
    postgresBin: values['postgres-bin'],
    only,
    json: values.json,
  };
}
