import type { Clock } from '../../core/clock.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { Location } from '../../storage/index.ts';
import { MemoryLocation, type MemoryObjects } from '../../storage/adapters/memory/index.ts';
import { createClock } from '../../runtime/clock.ts';
import { createRandom } from '../../runtime/random.ts';
import { thisProcess } from '../machine/owner.ts';
import { tagsOfBase, type BaseFacts } from '../postgres/base.ts';
import type { Snapshot } from '../repository.ts';
import { timeFromMs } from '../tree/time.ts';
import { encodeTree } from '../tree/tree.ts';
import { initRepository, openRepository } from '../open/open-repository.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';

/** Pauses end at once: those of locks are for others, of whom there are none. */
export const hastyRuntime: Runtime = {
  clock: { ...spread(createClock()), sleep: (_, signal) => (signal?.throwIfAborted(), Promise.resolve()) },
  random: createRandom(),
  logger: { debug() {}, info() {}, warn() {}, error() {} } as unknown as Runtime['logger'],
};

function spread(clock: Clock): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    bootMs: () => clock.bootMs(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, callback) => clock.after(delayMs, callback),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
  };
}

/** Scrypt as cheap as it may be: passwords of tests need not resist. */
export const cheapKdf = { N: 2, r: 8, p: 1 };

export const forever: AbortSignal = new AbortController().signal;

export interface MemoryRepositoryOptions {
  readonly objects?: MemoryObjects;
  /** Another location around the one in memory. */
  readonly around?: (location: Location) => Location;
  /** Of a process that does not run: its locks are stale for everybody else. */
  readonly pid?: number;
  readonly packBytes?: number;
  /** Default: all is done in place. */
  readonly threads?: number;
}

/** Opens the repository in `objects`; makes it when there is none. */
export async function openMemoryRepository(options: MemoryRepositoryOptions = {}): Promise<OpenedRepository> {
  const memory = new MemoryLocation('memory', hastyRuntime, options.objects ?? new Map());
  const location = options.around?.(memory) ?? memory;
  const owner = { ...thisProcess(), isAlive: () => false, ...(options.pid === undefined ? {} : { pid: options.pid }) };
  if ((await memory.stat('config', { signal: forever })) === undefined) {
    await initRepository(memory, { password: 'x', kdfCost: cheapKdf, owner }, hastyRuntime, { signal: forever });
  }
  const sizes = options.packBytes === undefined ? {} : { packBytes: options.packBytes };
  return openRepository(location, { password: 'x', threads: options.threads ?? 0, owner, ...sizes }, hastyRuntime, { signal: forever });
}

/** A snapshot that says it is a base backup, without files. */
export async function saveBase(
  repository: OpenedRepository,
  facts: Pick<BaseFacts, 'service' | 'systemId' | 'segmentBytes' | 'start'> & Partial<BaseFacts>,
): Promise<Snapshot> {
  await using writer = await repository.write({ signal: forever });
  const { id: tree } = await writer.saveBlob('tree', encodeTree([]));
  const whole = { version: '17.0', endLsn: facts.start.lsn, endMs: hastyRuntime.clock.wallMs(), ...facts };
  return await writer.saveSnapshot({
    time: timeFromMs(whole.endMs),
    tree,
    paths: ['/data'],
    hostname: 'test',
    username: '',
    tags: tagsOfBase(whole),
  });
}
