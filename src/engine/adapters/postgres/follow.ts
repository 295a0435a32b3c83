import type { MemberAddress, Position } from '../../engine.ts';
import { parseConninfo, prepareConfiguration } from './configuration.ts';
import type { ControlFile } from './control-file.ts';
import { isFreshCopy, readMarker } from './data-directory.ts';
import { accepts, freeze, runningMain, runsAsPrimary } from './freeze.ts';
import { assumeRole, configurationInput, markReplica, requireData, type Member } from './member.ts';
import { queryTimeoutMs } from './sessions.ts';
import { connectUpstream } from './upstream.ts';
import { replicaPosition, timelineAt } from './position.ts';
import { readPlan } from './rejoin-plan.ts';
import { ensureSlot } from './slots.ts';
import { checkContinues, diverged, identifyUpstream } from './upstream-check.ts';
import { endOfWal } from './wal-end.ts';

/** A replica that has much to replay is left to it; `inspect` tells when it accepts. */
const replicaStartMsMax = 10_000;
/** How long a server that runs may take to read whom it is to follow. */
const readMsMax = 2_000;
const readPollMs = 1;

/** Makes this member a replica of `upstream`, after proof that its data can be continued from there. @throws see upstream-check.ts */
export async function follow(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  if ((await readPlan(member)) !== undefined) throw diverged(upstream, 'an attempt to rejoin was interrupted');
  await requireData(member);
  if ((await runningMain(member)) !== undefined) {
    if (runsAsPrimary(member)) {
      // Whoever is to follow has lost the leadership: nothing more may be acknowledged, as a gentler stop would.
      await member.server.killAll();
    } else {
      const source = await presentSource(member, upstream, signal);
      if (source === 'upstream') return;
      if (source !== 'nobody') await freeze(member, signal);
    }
  }
  await checkAgainst(member, upstream, signal);
  await startFollowing(member, upstream, signal);
}

/** Without the check: of data that was just copied from there. */
export async function startFollowing(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  const { standbyMinimums } = await requireData(member);
  await markReplica(member);
  if (member.server.main === undefined) await prepareConfiguration(configurationInput(member), member.places.data);
  await assumeRole(member, { kind: 'replica', upstream }, standbyMinimums);
  if (member.server.main === undefined) await member.server.start({ signal, waitMsMax: replicaStartMsMax });
  else await untilItIsRead(member, upstream, signal);
}

/** Until the server shows whom it is to follow: who looked at it before that would have it follow again, which interrupts it. */
async function untilItIsRead(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  const { clock } = member.runtime;
  const deadline = clock.monotonicMs() + readMsMax;
  while (accepts(member) && clock.monotonicMs() < deadline) {
    const session = await member.sessions.shared('commands', { signal });
    const [row] = await session.query(`select current_setting('primary_conninfo') as conninfo`, { timeoutMs: queryTimeoutMs, signal });
    if (isSetTo(String(row?.['conninfo']), upstream)) return;
    await clock.sleep(readPollMs, signal);
  }
}

async function checkAgainst(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<void> {
  const { data } = member.places;
  const control = await requireData(member);
  const reconnect = () => connectUpstream(member, upstream, 'check', { signal });
  await using connection = await reconnect();
  const system = await identifyUpstream(connection, upstream, control.systemId, signal);
  // Before the check, so that the WAL that is found there stays.
  await ensureSlot(connection, member.context.node, signal);
  const copied = isFreshCopy(data) ? (await readMarker(data))?.copied : undefined;
  const position = copied ?? (await wholePosition(member, control, signal));
  await checkContinues({ connection, reconnect, upstream, system }, { data, control, position, compared: copied === undefined }, signal);
}

/** The end of the last whole record: part of one may have come that its sender never completed. */
async function wholePosition(member: Member, control: ControlFile, signal: AbortSignal): Promise<Position> {
  const { data } = member.places;
  if (member.server.main === undefined || !accepts(member)) return await endOfWal(data, control);
  const found = await replicaPosition(await member.sessions.shared('commands', { signal }), data, control, signal);
  if (found === undefined) return await endOfWal(data, control);
  return await endOfWal(data, control, { timeline: await timelineAt(data, found.replayLsn, control), lsn: found.replayLsn });
}

/** From whom a running replica receives now. */
async function presentSource(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<'upstream' | 'nobody' | 'unknown'> {
  if (!accepts(member)) return 'unknown';
  const session = await member.sessions.shared('commands', { signal });
  const [row] = await session.query(
    `select current_setting('primary_conninfo') as conninfo, status, sender_host as host, sender_port as port
       from (select 1) as one left join pg_stat_wal_receiver on true`,
    { timeoutMs: queryTimeoutMs, signal },
  );
  const conninfo = String(row?.['conninfo']);
  if (conninfo === '' && row?.['status'] === null) return 'nobody';
  const streams = row?.['status'] === 'streaming' && row['host'] === upstream.host && Number(row['port']) === upstream.port;
  return streams && isSetTo(conninfo, upstream) ? 'upstream' : 'unknown';
}

function isSetTo(conninfo: string, upstream: MemberAddress): boolean {
  const set = parseConninfo(conninfo);
  return set?.node === upstream.node && set.host === upstream.host && set.port === upstream.port;
}
