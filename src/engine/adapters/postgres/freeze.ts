import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessIdentity, Processes } from '../../../core/processes.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Position } from '../../engine.ts';
import { assumeRole, requireData, type Member } from './member.ts';
import { replicaPosition } from './position.ts';
import type { ControlFile } from './control-file.ts';
import { examineData, isFreshCopy, isReplicaData } from './data-directory.ts';
import { readPidFile } from './server-files.ts';
import { endOfWal } from './wal-end.ts';

const receiverPollMs = 2;
/** A receiver that is stuck in a write outlasts SIGTERM: its disk does not answer, and then this member can promise nothing. */
const receiverMsMax = 5_000;

/**
 * The fence of a replica. In this order, so that no step depends on how far or how busily the server replays:
 * the password file is emptied (a receiver that starts from now on can not log in, even if the startup process still works by the old
 * setting); primary_conninfo = '' is made durable and the server is told; every receiver that runs is ended (SIGTERM: it flushes what it
 * has), and only when all of them are gone is the position read. What the sender got as an answer before lies within that position.
 */
export async function freeze(member: Member, signal: AbortSignal): Promise<Position> {
  const found = await examineData(member.places, member.context, member.binaries.version);
  // Half copied data reaches nowhere; it receives nothing either, and nothing starts it before the rejoin is finished.
  if (found.state === 'present' && found.rejoining) return nowhere;
  const control = found.state === 'present' ? found.control : await requireData(member);
  const main = await runningMain(member);
  if (main !== undefined && runsAsPrimary(member)) {
    throw new HoldfastError('ENGINE_NOT_REPLICA', 'this member runs as the primary: it receives from nobody', {
      hint: 'Stop it; a stopped member can be frozen.',
    });
  }
  await assumeRole(member, { kind: 'replica', upstream: undefined }, control.standbyMinimums);
  if (main !== undefined) await endReceivers(member, main, signal);
  return await presentPosition(member, control, signal);
}

/** Before everything: of data that never confirmed a byte to anyone. */
export const nowhere: Position = { timeline: 0, lsn: 0n };

/** The main process. When there is none, then none of its tree either: an orphan could still write, or answer its sender. */
export async function runningMain(member: Member): Promise<ProcessIdentity | undefined> {
  const main = member.server.adopt();
  if (main === undefined) await member.server.killAll();
  return main;
}

/** Running: what the server says; stopped, or still recovering: what the WAL on the disk says, which is exact, too. */
async function presentPosition(member: Member, control: ControlFile, signal: AbortSignal): Promise<Position> {
  const { data } = member.places;
  if ((await runningMain(member)) !== undefined && accepts(member)) {
    const session = await member.sessions.shared('commands', { signal });
    const found = await replicaPosition(session, data, control, signal);
    if (found !== undefined) return found.position;
  }
  return isFreshCopy(data) ? nowhere : await endOfWal(data, control);
}

/** Whether the running server is a primary. PostgreSQL itself removes the signal file as the last step of a promotion before it takes writes. */
export function runsAsPrimary(member: Member): boolean {
  return !isReplicaData(member.places.data);
}

export function accepts(member: Member): boolean {
  const status = readPidFile(member.places.data)?.status;
  return status === 'ready' || status === 'standby';
}

async function endReceivers(member: Member, main: ProcessIdentity, signal: AbortSignal): Promise<void> {
  const { clock, processes } = member.runtime;
  const deadline = clock.monotonicMs() + receiverMsMax;
  // Looked for again until a look finds none: the server may have started another just before it read its configuration.
  for (let found = receiversOf(main, processes); found.length > 0; found = receiversOf(main, processes)) {
    for (const receiver of found) processes.kill(receiver, 'SIGTERM');
    while (found.some((receiver) => processes.isAlive(receiver))) {
      if (clock.monotonicMs() > deadline) {
        throw new HoldfastError('ENGINE_NOT_FROZEN', `the WAL receiver (process ${found[0]!.pid}) does not end`, {
          retryable: true,
          hint: 'Look at the disk of the data directory.',
        });
      }
      await clock.sleep(receiverPollMs, signal);
    }
  }
}

/** By the title that each gives itself as it begins (init_ps_display), before it connects. */
function receiversOf(main: ProcessIdentity, processes: Processes): ProcessIdentity[] {
  return childrenOf(main.pid).flatMap((pid) => {
    const isReceiver = /^postgres: (?:\S+: )?walreceiver\b/.test(readProc(`${pid}/cmdline`) ?? '');
    return isReceiver ? (processes.identify(pid) ?? []) : [];
  });
}

/** All child processes: listed by the kernel, else (CONFIG_PROC_CHILDREN is off) found among all processes (proc(5)). */
function childrenOf(parent: number): number[] {
  const listed = readProc(`${parent}/task/${parent}/children`);
  if (listed !== undefined) return listed.split(' ').filter(Boolean).map(Number);
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.filter((pid) => Number(/\) \S (\d+)/.exec(readProc(`${pid}/stat`) ?? '')?.[1]) === parent).map(Number);
}

function readProc(name: string): string | undefined {
  try {
    return readFileSync(`/proc/${name}`, 'latin1');
  } catch {
    return undefined;
  }
}
