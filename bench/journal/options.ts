import { parseArgs } from 'node:util';
import { ways as allWays, type Way } from './ways.ts';

export const help = `npm run bench -- journal [options]

What is lost when every process of every node is killed at once under load and the database is brought back from the copies alone: with a journal
of every second, and with one that commits wait for. For how long nothing is acknowledged when the leader's node alone dies. And what both cost: pgbench with one primary and two replicas of which one acknowledges,
without a journal, with it, and waiting for it, in turns.

  --repetitions N      kills, and half as many while commits wait for the journal, and of leaders alone; turns of each kind (20)
  --seconds N          each turn (4)
  --clients N,…        of pgbench, one turn with each (1,8,32)
  --ways WAY,…         which turns: none, 1s, sync (all)
  --scale N            of pgbench's tables (10)
  --postgres-bin PATH  for the turns (/usr/lib/postgresql/15/bin; on Debian postgresql-15 has pgbench too)
  --only PART          losses, take-over or cost (all)
  --json FILE          all raw values`;

export interface Options {
  readonly repetitions: number;
  readonly seconds: number;
  readonly clients: readonly number[];
  readonly ways: readonly Way[];
  readonly scale: number;
  readonly postgresBin: string;
  readonly only: 'losses' | 'take-over' | 'cost' | undefined;
  readonly json: string | undefined;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      repetitions: { type: 'string', default: '20' },
      seconds: { type: 'string', default: '4' },
      clients: { type: 'string', default: '1,8,32' },
      ways: { type: 'string', default: allWays.join(',') },
      scale: { type: 'string', default: '10' },
      'postgres-bin': { type: 'string', default: '/usr/lib/postgresql/15/bin' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.help === true) return undefined;
  const counted = (name: string, text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: '${text}' is no positive number`);
    return value;
  };
  const positive = (name: 'repetitions' | 'seconds' | 'scale'): number => counted(name, values[name]);
  const ways = values.ways.split(',').map((text) => {
    const way = allWays.find((one) => one === text);
    if (way === undefined) throw new Error(`--ways: '${text}' is none of ${allWays.join(', ')}`);
    return way;
  });
  const { only } = values;
  if (only !== undefined && only !== 'losses' && only !== 'take-over' && only !== 'cost')
    throw new Error(`--only: '${only}' is neither losses, nor take-over, nor cost`);
  return {
    repetitions: positive('repetitions'),
    seconds: positive('seconds'),
    clients: values.clients.split(',').map((text) => counted('clients', text)),
    ways,
    scale: positive('scale'),
    postgresBin: values['postgres-bin'],
    only,
    json: values.json,
  };
}
