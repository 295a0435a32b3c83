import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import type { Acknowledgement, Position } from '../../engine.ts';
import { changeAcknowledgement, untilRuleIsRead } from './acknowledge.ts';
import { prepareConfiguration } from './configuration.ts';
import type { ControlFile } from './control-file.ts';
import { hasRecovered, isFreshCopy, lastRole } from './data-directory.ts';
import { flushDirectory } from './durable-file.ts';
import { runsAsPrimary } from './freeze.ts';
import { assumeRole, configurationInput, markReplica, requireData, ruleOf, type Member } from './member.ts';
import { queryTimeoutMs } from './sessions.ts';
import { lsnOf } from './position.ts';
import { reserveTimelines } from './reservations.ts';
import type { Session } from './session.ts';
import { readHistory } from './history-files.ts';

const reloadMs = 10;
const promotedPollMs = 2;

/** Starts data that was a primary's as the primary. @throws ENGINE_NOT_PRIMARY */
export async function startPrimary(member: Member, acknowledge: Acknowledgement | null, signal: AbortSignal): Promise<void> {
  const control = await requireData(member);
  if (member.server.adopt() !== undefined) {
    if (!runsAsPrimary(member)) throw notPrimary('it runs as a replica');
    // It may still recover from a crash.
    await member.server.start({ signal, waitMsMax: Number.POSITIVE_INFINITY });
    await changeAcknowledgement(member, acknowledge, signal);
    return;
  }
  if (isFreshCopy(member.places.data)) throw notPrimary('it is a copy of another member that was never started');
  // A signal file alone may have been left by an attempt to follow that went no further.
  if (hasRecovered(control)) throw notPrimary('it was a replica when it last ran');
  await dropReplicaMark(member);
  await prepareConfiguration(configurationInput(member), member.places.data);
  await assumeRole(member, { kind: 'primary', rule: ruleOf(member, acknowledge) });
  await member.server.start({ signal, waitMsMax: Number.POSITIVE_INFINITY });
}

/**
 * Makes a replica the primary. Its rule has never been empty, so the flag in shared memory that makes commits wait is set already
 * (SyncRepWaitForLSN of syncrep.c looks at that flag, not at the setting); the new rule is read before the promotion is asked for, and
 * no walsender can release a commit by an older one, as those of a replica have no priority until they start to stream anew.
 */
export async function promote(
  member: Member,
  acknowledge: Acknowledgement | null,
  timeline: number,
  signal: AbortSignal,
): Promise<Position> {
  // Of a server that runs, its data have been examined, and nobody can exchange them: what is left to ask it answers.
  if (member.server.adopt() === undefined) await startFrozen(member, await requireData(member), signal);
  const session = await member.sessions.shared('commands', { signal });
  if (!(await inRecovery(session, signal))) {
    await changeAcknowledgement(member, acknowledge, signal);
    return await beginOfTimeline(member, session, signal);
  }
  const rule = ruleOf(member, acknowledge);
  await assumeRole(member, { kind: 'primary', rule });
  await untilRuleIsRead(member, session, rule, signal);
  await reserveTimelines(member.places.data, timeline, member.context.account);
  await session.query('select pg_promote(false)', { timeoutMs: queryTimeoutMs, signal });
  await untilPromoted(member, session, signal);
  return await beginOfTimeline(member, session, signal);
}

/**
 * The startup process may sleep out its retry interval before it looks for the request: a reload wakes it. Once it has taken the request (and
 * removed its file), further reloads would only keep the other processes busy.
 */
async function untilPromoted(member: Member, session: Session, signal: AbortSignal): Promise<void> {
  const { clock } = member.runtime;
  const request = join(member.places.data, 'promote');
  let wakeMs = -Infinity;
  while (await inRecovery(session, signal)) {
    if (existsSync(request) && clock.monotonicMs() - wakeMs >= reloadMs) {
      wakeMs = clock.monotonicMs();
      await session.query('select pg_reload_conf()', { timeoutMs: queryTimeoutMs, signal });
    }
    await clock.sleep(promotedPollMs, signal);
  }
}

async function startFrozen(member: Member, control: ControlFile, signal: AbortSignal): Promise<void> {
  const role = lastRole(member.places.data, control);
  if (role !== 'replica') {
    const was = role === 'primary' ? 'was the primary when it stopped' : 'is a copy that was never started';
    const hint =
      role === 'primary'
        ? 'It is started as the primary again, not promoted.'
        : 'It has to follow the member that it was copied from first.';
    throw new HoldfastError('ENGINE_NOT_REPLICA', `this member ${was}`, { hint });
  }
  await markReplica(member);
  await prepareConfiguration(configurationInput(member), member.places.data);
  await assumeRole(member, { kind: 'replica', upstream: undefined }, control.standbyMinimums);
  await member.server.start({ signal, waitMsMax: Number.POSITIVE_INFINITY });
}

async function inRecovery(session: Session, signal: AbortSignal): Promise<boolean> {
  const [row] = await session.query('select pg_is_in_recovery() as recovering', { timeoutMs: queryTimeoutMs, signal });
  return row?.['recovering'] === true;
}

/** Where the timeline that the primary writes left its parent. */
async function beginOfTimeline(member: Member, session: Session, signal: AbortSignal): Promise<Position> {
  const [row] = await session.query('select pg_walfile_name(lsn) as file, lsn::text from pg_current_wal_flush_lsn() as lsn', {
    timeoutMs: queryTimeoutMs,
    signal,
  });
  const timeline = Number.parseInt(String(row!['file']).slice(0, 8), 16);
  const history = await readHistory(member.places.data, timeline);
  return { timeline, lsn: history?.ancestors.at(-1)?.end ?? lsnOf(row!['lsn']) };
}

async function dropReplicaMark(member: Member): Promise<void> {
  for (const name of ['standby.signal', 'recovery.signal']) await rm(join(member.places.data, name), { force: true });
  await flushDirectory(member.places.data);
}

function notPrimary(reason: string): HoldfastError {
  return new HoldfastError('ENGINE_NOT_PRIMARY', `this member can not be started as the primary that it was: ${reason}`, {
    hint: 'It must be promoted, so that it begins a timeline of its own.',
  });
}
