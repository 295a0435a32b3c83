import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MemberAddress, Position } from '../../engine.ts';
import { parseConninfo, prepareConfiguration } from './configuration.ts';
import type { ControlFile } from './control-file.ts';
import { accepts, freeze, runsAsPrimary } from './freeze.ts';
import { assumeRole, configurationInput, connectUpstream, markReplica, queryTimeoutMs, requireData, type Member } from './member.ts';
import { replicaPosition, timelineAt } from './position.ts';
import { readPlan } from './rejoin-plan.ts';
import { ensureSlot } from './slots.ts';
import { checkContinues, diverged } from './upstream-check.ts';
import { endOfWal } from './wal-end.ts';

/** A replica that has much to replay is left to it; `inspect` tells when it accepts. */
const replicaStartMsMax = 10_000;

/** Makes this member a replica of `upstream`, after proof that its data can be continued from there. @throws see upstream-check.ts */
export async function follow(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  if ((await readPlan(member)) !== undefined) throw diverged(upstream, 'an attempt to rejoin was interrupted');
  await requireData(member);
  if (member.server.adopt() !== undefined) {
    if (await runsAsPrimary(member)) {
      // Whoever is to follow has lost the leadership: nothing more may be acknowledged, as a gentler stop would.
      await member.server.killAll();
    } else if (await followsAlready(member, upstream, signal)) return;
    else await freeze(member, signal);
  }
  await checkAgainst(member, upstream, signal);
  await startFollowing(member, upstream, signal);
}

/** Without the check: of data that was just copied from there. */
export async function startFollowing(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  await markReplica(member);
  if (member.server.main === undefined) await prepareConfiguration(configurationInput(member), member.places.data);
  await assumeRole(member, { kind: 'replica', upstream });
  if (member.server.main === undefined) await member.server.start({ signal, waitMsMax: replicaStartMsMax });
}

async function checkAgainst(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  const control = await requireData(member);
  await using connection = await connectUpstream(member, upstream, 'check', { signal });
  await ensureSlot(connection, member.context.node, signal);
  // A copy that was never started has nothing of its own: its WAL is the source's.
  if (existsSync(join(member.places.data, 'backup_label'))) return;
  await checkContinues(connection, upstream, member.places.data, control, await wholePosition(member, control, signal), signal);
}

/** The end of the last whole record: part of one may have come that its sender never completed. */
export async function wholePosition(member: Member, control: ControlFile, signal: AbortSignal): Promise<Position> {
  if (member.server.main === undefined || !accepts(member)) return await endOfWal(member.places.data, control);
  const { data } = member.places;
  const found = await replicaPosition(await member.sessions.shared({ signal }), data, control.segmentBytes, signal);
  const timeline = found === undefined ? undefined : await timelineAt(data, found.replayLsn, control.segmentBytes);
  return await endOfWal(data, control, found === undefined || timeline === undefined ? undefined : { timeline, lsn: found.replayLsn });
}

async function followsAlready(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<boolean> {
  if (!accepts(member)) return false;
  const session = await member.sessions.shared({ signal });
  const [row] = await session.query(
    `select current_setting('primary_conninfo') as conninfo,
            exists (select from pg_stat_wal_receiver where status = 'streaming' and sender_host = $1 and sender_port = $2) as streaming`,
    { timeoutMs: queryTimeoutMs, signal, values: [upstream.host, upstream.port] },
  );
  const present = parseConninfo(String(row?.['conninfo']));
  return row?.['streaming'] === true && present?.node === upstream.node && present.host === upstream.host && present.port === upstream.port;
}
