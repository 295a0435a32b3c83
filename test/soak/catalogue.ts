import { HoldfastError, messageOf } from '../../src/core/errors.ts';
import { query } from '../scenario/agents.ts';
import type { Fault, Faults } from '../scenario/hosts/faults.ts';
import type { Hosts } from '../scenario/hosts/hosts.ts';
import type { StorageFaults } from '../scenario/hosts/storage-faults.ts';
import { createClock } from '../../src/runtime/index.ts';

const SERVICE = 'orders';
const CLOCK_JUMP_S = 3_600;
/** Operators try again: what they undid must be undone. */
const RETRIES_MAX = 60;
const RETRY_MS = 500;

export type Where = 'leader' | 'replica' | 'other replica';
const anywhere: readonly Where[] = ['leader', 'replica', 'other replica'];
const replicas: readonly Where[] = ['replica', 'other replica'];

/** What faults are made with, and on. */
export interface Stage {
  readonly hosts: Hosts;
  readonly faults: Faults;
  readonly storage: StorageFaults;
  /** The table that is written now. */
  readonly table: string;
  /** Hosts as they were when the round began. */
  readonly leader: string;
  readonly others: (host: string) => readonly string[];
}

export interface Kind {
  /** Two that overlap are of different families, or on different hosts. */
  readonly family: 'network' | 'process' | 'disk' | 'clock' | 'operator';
  readonly where: readonly Where[];
  readonly lastsMs: readonly [min: number, max: number];
  /** Not together with another: it takes away a copy of what was acknowledged, and more than one loss is more than is promised. */
  readonly alone?: true;
  readonly make: (stage: Stage, host: string) => Promise<Fault>;
}

const brief = [200, 3_000] as const;
const long = [1_000, 9_000] as const;

/** Every kind of fault by its name. */
export const catalogue: Readonly<Record<string, Kind>> = {
  'host cut off': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.cut(host) },
  'host cut off from hosts': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.cutFromHosts(host) },
  'nothing comes in': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.cutOneWay(host, 'in') },
  'nothing goes out': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.cutOneWay(host, 'out') },
  'two hosts cut from each other': {
    family: 'network',
    where: anywhere,
    lastsMs: long,
    make: ({ faults, others }, host) => faults.cutPair(host, others(host)[0]!),
  },
  'store cut off from host': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.cutFromStore(host) },
  'store server cut off': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.cutStorePeers(host) },
  'packets lost': { family: 'network', where: ['leader'], lastsMs: long, make: ({ faults }) => faults.lose(20) },
  'connections reset': { family: 'network', where: anywhere, lastsMs: brief, make: ({ faults }, host) => faults.reset(host, 20) },
  'network slow': { family: 'network', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.slow(host, 512) },
  'agent killed': { family: 'process', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.kill(host, 'agent') },
  'database killed': { family: 'process', where: anywhere, lastsMs: brief, make: ({ faults }, host) => faults.kill(host, 'database') },
  'guard killed': { family: 'process', where: anywhere, lastsMs: brief, make: ({ faults }, host) => faults.kill(host, 'guard') },
  'agent and database killed': {
    family: 'process',
    where: anywhere,
    lastsMs: long,
    make: ({ faults }, host) => faults.kill(host, 'agent', 'database'),
  },
  'agent stalled': { family: 'process', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.stall(host, 'agent') },
  'database stalled': { family: 'process', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.stall(host, 'database') },
  'machine stalled': {
    family: 'process',
    where: anywhere,
    lastsMs: long,
    make: ({ faults }, host) => faults.stall(host, 'agent', 'guard', 'database', 'store'),
  },
  'agent upgraded': { family: 'process', where: anywhere, lastsMs: [100, 1_000], make: ({ faults }, host) => faults.upgrade(host) },
  'store server killed': { family: 'process', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.kill(host, 'store') },
  'store server stalled': { family: 'process', where: anywhere, lastsMs: long, make: ({ faults }, host) => faults.stall(host, 'store') },
  'power off': { family: 'process', where: anywhere, lastsMs: long, alone: true, make: ({ faults }, host) => faults.powerOff(host) },
  'power off everywhere': {
    family: 'process',
    where: ['leader'],
    lastsMs: brief,
    alone: true,
    make: ({ faults, hosts }) => faults.powerOff(...hosts.names),
  },
  'disk full': { family: 'disk', where: anywhere, lastsMs: [3_000, 9_000], make: ({ storage }, host) => storage.fill(host) },
  'disk stands still': { family: 'disk', where: anywhere, lastsMs: long, make: ({ storage }, host) => storage.freeze(host) },
  'disk slow': { family: 'disk', where: anywhere, lastsMs: long, make: ({ storage }, host) => storage.slow(host) },
  'WAL lost': { family: 'disk', where: replicas, lastsMs: brief, alone: true, make: ({ storage }, host) => storage.loseWal(host) },
  'page damaged': { family: 'disk', where: replicas, lastsMs: brief, alone: true, make: damageAndReinit },
  'clock forward': { family: 'clock', where: anywhere, lastsMs: long, make: ({ storage }, host) => storage.setClock(host, CLOCK_JUMP_S) },
  'clock back': { family: 'clock', where: anywhere, lastsMs: long, make: ({ storage }, host) => storage.setClock(host, -CLOCK_JUMP_S) },
  switchover: { family: 'operator', where: ['leader'], lastsMs: brief, make: (stage, host) => order(stage, 'switchover', host) },
  restart: { family: 'operator', where: anywhere, lastsMs: brief, make: (stage, host) => order(stage, 'restart', host) },
  reinit: { family: 'operator', where: replicas, lastsMs: brief, alone: true, make: (stage, host) => order(stage, 'reinit', host) },
  pause: { family: 'operator', where: ['leader'], lastsMs: long, make: pause },
};

/** An operator's command. It may be refused: the cluster is in the midst of something. */
async function order({ hosts, faults }: Stage, command: 'switchover' | 'restart' | 'reinit', host: string): Promise<Fault> {
  const client = hosts.agents.client(host);
  const ordered = command === 'switchover' ? client.switchover(SERVICE) : client[command](SERVICE, { node: host });
  const answer = await ordered.then(
    () => '',
    (error: unknown) => ` refused: ${error instanceof HoldfastError ? error.code : messageOf(error)}`,
  );
  return faults.made(`${command}${answer}`, async () => {});
}

async function pause({ hosts, faults }: Stage, host: string): Promise<Fault> {
  await persist(() => hosts.agents.client(host).pause(SERVICE));
  return faults.made('pause', () => persist((n) => hosts.agents.client(hosts.members[n % hosts.members.length]!).resume(SERVICE)));
}

/** The damage is met by a reader; then an operator copies the data anew. */
async function damageAndReinit({ hosts, faults, storage, table }: Stage, host: string): Promise<Fault> {
  await (await storage.damage(host, table)).undo();
  const met = async (): Promise<void> => {
    const answer = await query(hosts.agents.connection(host), `select count(*) from ${table}`).catch(messageOf);
    if (typeof answer !== 'string' || !answer.includes('invalid page'))
      throw new Error(`a damaged page was not met: ${JSON.stringify(answer)}`);
  };
  await persist(met);
  return faults.made('damage', () => persist(() => hosts.agents.client(host).reinit(SERVICE, { node: host })));
}

async function persist(attempt: (n: number) => Promise<unknown>): Promise<void> {
  const clock = createClock();
  for (let n = 1; ; n++) {
    try {
      return void (await attempt(n));
    } catch (error) {
      if (n === RETRIES_MAX) throw error;
      await clock.sleep(RETRY_MS);
    }
  }
}
