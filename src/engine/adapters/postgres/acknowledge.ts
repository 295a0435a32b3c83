import { HoldfastError } from '../../../core/errors.ts';
import type { Acknowledgement } from '../../engine.ts';
import { runsAsPrimary } from './freeze.ts';
import { assumeRole, ruleOf, type Member } from './member.ts';
import { queryTimeoutMs } from './sessions.ts';
import { lsnOf } from './position.ts';
import { parseRule, renderTransition, seatName } from './rule.ts';
import type { Session } from './session.ts';

const pollMs = 1;
/** How long a walsender or the checkpointer may take to read the new rule before we give up. */
const transitionMsMax = 10_000;
/** How long they are waited for before those who wait for them are helped on all the same. */
const releaseMsMax = 1_000;
/** How long the main process may take to read its configuration again. */
const reloadMsMax = 5_000;

/**
 * Changes what commits wait for, and proves that no commit is acknowledged by the old rule any more.
 *
 * Two things in shared memory decide (syncrep.c): a flag, kept by the checkpointer, says whether commits wait at all; and each
 * walsender releases waiting commits by the rule as that walsender has last read it. A reload reaches them one by one, and the setting as
 * any session shows it says nothing of either. So the change goes through a rule that nobody can satisfy, `FIRST n+1 (nobody, voters…)`,
 * and the effect of that is observed:
 * - a walsender publishes what it reads as its sync_priority: 1 when it is named in an `ANY` rule, 0 when it is not named, and its place
 *   in a `FIRST` rule, where the first place is nobody's. Once no priority is 1, none works by an older rule. (One that
 *   starts meanwhile begins with the setting as it is now.)
 * - a commit of our own (an empty logical message) is seen to wait (wait event SyncRep): then the flag is set.
 * The journal's seats are in no `FIRST` rule, and so have the priority 0 meanwhile. What the old rule acknowledged was flushed before that moment, so the flushed LSN read then bounds it. Commits pause for these few
 * milliseconds. Should we die in between, they wait until the next change: never a lie.
 */
export async function changeAcknowledgement(member: Member, value: Acknowledgement | null, signal: AbortSignal): Promise<bigint> {
  if (member.server.adopt() === undefined || !runsAsPrimary(member)) {
    throw new HoldfastError('ENGINE_NOT_PRIMARY', 'this member is not a running primary', { hint: 'Only a primary acknowledges commits.' });
  }
  const rule = ruleOf(member, value);
  const session = await member.sessions.shared('commands', { signal });
  if (rule === '') {
    // Whatever the old rule was, it asked for at least as much.
    await adoptRule(member, session, rule, signal);
    return await flushedLsn(session, signal);
  }
  await adoptRule(member, session, renderTransition(value?.voters ?? []), signal);
  await untilWaiting(member, session, signal);
  const bound = await flushedLsn(session, signal);
  await adoptRule(member, session, rule, signal);
  await releaseWaiting(member, session, value?.voters ?? [], signal);
  return bound;
}

/** What commits wait for beside the journal, by the setting. @throws ENGINE_RULE_UNCONFIRMED when that is none of ours */
export async function acknowledgementInForce(member: Member, signal: AbortSignal): Promise<Acknowledgement | null> {
  const session = await member.sessions.shared('commands', { signal });
  const [row] = await session.query(`select current_setting('synchronous_standby_names') as rule`, { timeoutMs: queryTimeoutMs, signal });
  const found = parseRule(String(row?.['rule']));
  if (found !== undefined) return found;
  throw new HoldfastError(
    'ENGINE_RULE_UNCONFIRMED',
    `synchronous_standby_names is '${String(row?.['rule'])}', which tells of no acknowledgement`,
    {
      retryable: true,
      hint: 'It is set anew as soon as this member is known to lead.',
    },
  );
}

/**
 * A walsender releases commits only when its replica reports progress (SyncRepReleaseWaiters in ProcessStandbyReplyMessage), not when it reads
 * a new rule: a commit that waited through the change would go on waiting until somebody else writes. So once the walsenders work by the
 * new rule there is a little more to report.
 */
async function releaseWaiting(member: Member, session: Session, voters: readonly string[], signal: AbortSignal): Promise<void> {
  const { clock } = member.runtime;
  const deadline = clock.monotonicMs() + releaseMsMax;
  const read = `select coalesce(bool_and(sync_priority = 1), true) as read from pg_stat_replication
                 where application_name = any($1) and state = 'streaming'`;
  const named = member.journalCounts ? [...voters, seatName(1)] : voters;
  for (;;) {
    const [row] = await session.query(read, { timeoutMs: queryTimeoutMs, signal, values: [named] });
    if (row?.['read'] === true || clock.monotonicMs() > deadline) break;
    await clock.sleep(pollMs, signal);
  }
  await session.query(`select pg_logical_emit_message(true, 'holdfast', '')`, { timeoutMs: queryTimeoutMs, signal });
}

async function adoptRule(member: Member, session: Session, rule: string, signal: AbortSignal): Promise<void> {
  await assumeRole(member, { kind: 'primary', rule });
  await untilRuleIsRead(member, session, rule, signal);
}

async function untilWaiting(member: Member, session: Session, signal: AbortSignal): Promise<void> {
  const { clock } = member.runtime;
  const deadline = clock.monotonicMs() + transitionMsMax;
  const probe = await member.sessions.open({ signal });
  try {
    let probing = startProbe(probe);
    for (;;) {
      const [row] = await session.query(
        `select not exists (select from pg_stat_replication where sync_priority = 1) as read,
                exists (select from pg_stat_activity where pid = $1 and wait_event = 'SyncRep') as waits`,
        { timeoutMs: queryTimeoutMs, signal, values: [probe.pid] },
      );
      if (row?.['read'] === true && row['waits'] === true) return;
      // It was let through: the flag was not yet set.
      if (probing.done()) probing = startProbe(probe);
      if (clock.monotonicMs() > deadline) {
        throw new HoldfastError('ENGINE_RULE_UNCONFIRMED', 'PostgreSQL did not take over the new acknowledgement rule in time', {
          retryable: true,
          hint: 'Commits wait until it does. Look for walsenders or a checkpointer that stand still (SIGSTOP, a dead disk).',
        });
      }
      await clock.sleep(pollMs, signal);
    }
  } finally {
    // It would wait as long as the rule can not be satisfied; ending it acknowledges nothing.
    await session.query('select pg_terminate_backend($1)', { timeoutMs: queryTimeoutMs, values: [probe.pid] }).catch(() => {});
    probe.cut();
  }
}

function startProbe(probe: Session): { done(): boolean } {
  let finished = false;
  probe
    .query(`set synchronous_commit = on; select pg_logical_emit_message(true, 'holdfast', '')`, { timeoutMs: transitionMsMax * 2 })
    .catch(() => {})
    .finally(() => {
      finished = true;
    });
  return { done: () => finished };
}

/** A new setting seen by a session that asks anew: the main process has read it, and has told all others. */
export async function untilRuleIsRead(member: Member, session: Session, rule: string, signal: AbortSignal): Promise<void> {
  const { clock } = member.runtime;
  const deadline = clock.monotonicMs() + reloadMsMax;
  for (;;) {
    const [row] = await session.query(`select current_setting('synchronous_standby_names') as rule`, { timeoutMs: queryTimeoutMs, signal });
    if (row?.['rule'] === rule) return;
    if (clock.monotonicMs() > deadline) {
      throw new HoldfastError(
        'ENGINE_SETTING_OVERRIDDEN',
        `synchronous_standby_names is '${String(row?.['rule'])}', although holdfast.conf says '${rule}'`,
        {
          hint: "Something sets it elsewhere: look at pg_settings.sourcefile and at the server's log, and take it out there.",
        },
      );
    }
    await clock.sleep(1, signal);
  }
}

async function flushedLsn(session: Session, signal: AbortSignal): Promise<bigint> {
  const [row] = await session.query('select pg_current_wal_flush_lsn()::text as lsn', { timeoutMs: queryTimeoutMs, signal });
  return lsnOf(row?.['lsn']);
}
