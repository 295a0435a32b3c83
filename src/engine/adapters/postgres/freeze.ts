import { readFileSync } from 'node:fs';
import type { ProcessIdentity } from '../../../core/processes.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Position } from '../../engine.ts';
import { assumeRole, requireData, type Member } from './member.ts';
import { replicaPosition } from './position.ts';
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
  await requireData(member);
  const main = await runningMain(member);
  if (main !== undefined && runsAsPrimary(member)) {
    throw new HoldfastError('ENGINE_NOT_REPLICA', 'this member runs as the primary: it receives from nobody', {
      hint: 'Stop it; a stopped member can be frozen.',
    });
  }
  await assumeRole(member, { kind: 'replica', upstream: undefined });
  if (main !== undefined) await endReceivers(member, main, signal);
  return await presentPosition(member, signal);
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
async function presentPosition(member: Member, signal: AbortSignal): Promise<Position> {
  const { data } = member.places;
  const control = await requireData(member);
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
  for (;;) {
    const receivers = processes.withWorkingDirectory(member.places.data).filter(({ pid }) => isReceiver(pid));
    if (receivers.length === 0 || member.server.main?.pid !== main.pid) return;
    if (clock.monotonicMs() > deadline) {
      throw new HoldfastError('ENGINE_NOT_FROZEN', `the WAL receiver (process ${receivers[0]!.pid}) does not end`, {
        retryable: true,
        hint: 'Look at the disk of the data directory.',
      });
    }
    for (const receiver of receivers) processes.kill(receiver, 'SIGTERM');
    await clock.sleep(receiverPollMs, signal);
  }
}

/** By the title that the process gives itself (init_ps_display). */
function isReceiver(pid: number): boolean {
  try {
    return /^postgres: (?:\S+: )?walreceiver\b/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}
