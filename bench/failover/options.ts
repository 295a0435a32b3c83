import { parseArgs } from 'node:util';
import { missingPrograms } from '../kit/machine.ts';
import { eventNames, kinds, type EventName, type Kind } from './contender.ts';
import { defaultTiming, lowestTiming, type PatroniTiming } from './patroni/configuration.ts';

export const help = `npm run bench -- failover [options]

How long nobody can write when something happens to a primary, and what is lost: Holdfast beside Patroni with etcd and HAProxy, with the same
PostgreSQL and the same client (one row every 20 ms, a second of patience, reconnects at once).

  --events LIST          node-lost, database-killed, switchover, agent-stopped, pgbouncer-switchover (Holdfast's clients behind a PgBouncer that
                         its agents drive), at-rest, saturated (default: all, but of PgBouncer only where that is installed)
  --repetitions N        of each event (20)
  --only NAME            holdfast or patroni
  --patroni-clusters N   independent clusters that are raced at once, as Patroni mostly waits (2)
  --peer-tuned           Patroni at the lowest timing that it accepts, instead of its defaults
  --peer-timing T,L,R    ttl, loop_wait and retry_timeout of Patroni, in seconds
  --peer-synchronous     Patroni with synchronous_mode on: commits wait for a replica, as Holdfast's do
  --postgres-bin PATH    programs of PostgreSQL, for both (/usr/lib/postgresql/15/bin)
  --etcd-members N       1 or 3, for each (3)
  --stall-seconds N      how long an agent stands still at most (40)
  --rest-seconds N       how long agents are watched at rest, after a minute in which nothing happens (60)
  --saturated-minutes N  how long both are watched with all cores busy (10)
  --json FILE            all raw values, written anew after each event
  --trace                with what every agent logged, in the JSON
  --keep                 leaves the directories with all logs behind, and names them

Patroni is Debian's: apt-get install --no-install-recommends patroni python3-etcd etcd-server etcd-client haproxy postgresql-15
(and pgbouncer); their services need not run, and are not used.
Exit 0: all targets met; 1: one was missed, or a row was lost; 2: it could not run.`;

const otherEvents = ['at-rest', 'saturated'] as const;
export type Measured = EventName | (typeof otherEvents)[number];

export interface Options {
  readonly events: readonly Measured[];
  readonly repetitions: number;
  readonly contenders: readonly Kind[];
  readonly patroniClusters: number;
  readonly timing: PatroniTiming;
  readonly synchronous: boolean;
  readonly postgresBin: string;
  readonly etcdMembers: 1 | 3;
  readonly stallSeconds: number;
  readonly restSeconds: number;
  readonly saturatedMinutes: number;
  readonly json: string | undefined;
  readonly trace: boolean;
  readonly keep: boolean;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean' },
      events: { type: 'string', default: [...eventNames, ...otherEvents].filter((name) => !lacks(name)).join(',') },
      repetitions: { type: 'string', default: '20' },
      only: { type: 'string' },
      'patroni-clusters': { type: 'string', default: '2' },
      'peer-tuned': { type: 'boolean', default: false },
      'peer-timing': { type: 'string' },
      'peer-synchronous': { type: 'boolean', default: false },
      'postgres-bin': { type: 'string', default: '/usr/lib/postgresql/15/bin' },
      'etcd-members': { type: 'string', default: '3' },
      'stall-seconds': { type: 'string', default: '40' },
      'rest-seconds': { type: 'string', default: '60' },
      'saturated-minutes': { type: 'string', default: '10' },
      json: { type: 'string' },
      trace: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  });
  if (values.help === true) return undefined;
  const members = values['etcd-members'];
  if (members !== '1' && members !== '3') throw new Error(`--etcd-members is 1 or 3, not '${members}'`);
  return {
    events: values.events.split(',').map((name) => oneOf('--events', name, [...eventNames, ...otherEvents])),
    repetitions: positive('--repetitions', values.repetitions),
    contenders: values.only === undefined ? kinds : [oneOf('--only', values.only, kinds)],
    patroniClusters: positive('--patroni-clusters', values['patroni-clusters']),
    timing: timingOf(values['peer-timing'], values['peer-tuned']),
    synchronous: values['peer-synchronous'],
    postgresBin: values['postgres-bin'],
    etcdMembers: members === '1' ? 1 : 3,
    stallSeconds: positive('--stall-seconds', values['stall-seconds']),
    restSeconds: positive('--rest-seconds', values['rest-seconds']),
    saturatedMinutes: positive('--saturated-minutes', values['saturated-minutes'], 'fractions too'),
    json: values.json,
    trace: values.trace,
    keep: values.keep,
  };
}

function lacks(name: Measured): boolean {
  return name === 'pgbouncer-switchover' && missingPrograms(['pgbouncer']).length > 0;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${option}: '${value}' is none of ${allowed.join(', ')}`);
  return found;
}

function positive(option: string, text: string, fractions?: 'fractions too'): number {
  const value = Number(text);
  if (!(value > 0) || (fractions === undefined && !Number.isInteger(value))) throw new Error(`${option}: '${text}' is no positive number`);
  return value;
}

function timingOf(text: string | undefined, tuned: boolean): PatroniTiming {
  if (text === undefined) return tuned ? lowestTiming : defaultTiming;
  const parts = text.split(',').map((part) => positive('--peer-timing', part));
  if (parts.length !== 3) throw new Error(`--peer-timing: '${text}' is not TTL,LOOP_WAIT,RETRY_TIMEOUT`);
  return { ttl: parts[0]!, loopWait: parts[1]!, retryTimeout: parts[2]! };
}
