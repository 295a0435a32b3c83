import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { MemberAddress } from '../../engine.ts';
import { passwordFile, renderConnection } from './configuration.ts';
import { replicationRole } from './credentials.ts';
import { writeDurably } from './durable-file.ts';
import { flushTree } from './durable-tree.ts';
import { writePasswordFile, type Member } from './member.ts';
import { connectUpstream, openUpstreamSession } from './upstream.ts';
import type { RejoinPlan } from './rejoin-plan.ts';
import { ensureSlot } from './slots.ts';
import { SourceFiles } from './source-files.ts';
import { tablespaceLinks } from './tablespaces.ts';
import { hasWal } from './upstream-check.ts';

/** It may first have to recover the data from a crash, then reads much and copies what differs. */
const rewindMsMax = 4 * 3_600_000;
/** Each member's own, where pg_rewind takes the source's. */
const kept = ['postgresql.conf', 'postgresql.auto.conf', 'pg_hba.conf', 'pg_ident.conf'];

/**
 * Lets pg_rewind do it, if it is there. False when it is not, or could not: then the pages are compared, which needs neither the WAL since
 * the fork nor the same tablespaces.
 */
export async function rewind(member: Member, plan: RejoinPlan, upstream: MemberAddress, signal: AbortSignal): Promise<boolean> {
  const program = member.binaries.optional('pg_rewind');
  if (program === undefined || !(await hasWalSince(member, plan, upstream, signal)) || !(await readySource(member, upstream, signal)))
    return false;
  const { data } = member.places;
  const { account } = member.context;
  const own = await Promise.all(
    kept.map(async (name) => ({ path: join(data, name), content: await readFile(join(data, name)).catch(() => undefined) })),
  );
  await writePasswordFile(member, { kind: 'replica', upstream });
  const result = await member.runtime.processes.run(
    program,
    ['--target-pgdata', data, '--source-server', source(member, upstream), '--no-sync'],
    {
      timeoutMs: rewindMsMax,
      signal,
      cwd: data,
      ...(account === undefined ? {} : { account }),
    },
  );
  for (const { path, content } of own) if (content !== undefined) await writeDurably(path, content, { account });
  const said = `${result.stdout}\n${result.stderr}`;
  const rewound = result.code === 0 && !/no rewind required/.test(said);
  const { logger } = member.runtime;
  if (!rewound) logger.warn('engine.rejoin.rewind-failed', { service: member.context.service, code: result.code, said: said.slice(-1000) });
  if (rewound)
    for (const root of [...(await tablespaceLinks(data)), '']) await flushTree(member.runtime.processes, join(data, root, '/'), signal);
  return rewound;
}

/** Recovery afterwards begins at the last common checkpoint, with the upstream's WAL. */
async function hasWalSince(member: Member, plan: RejoinPlan, upstream: MemberAddress, signal: AbortSignal): Promise<boolean> {
  const timeline = plan.ours.find(({ end }) => plan.redo < end)?.timeline ?? plan.fork.timeline;
  await using connection = await connectUpstream(member, upstream, 'rejoin', { signal });
  await ensureSlot(connection, member.context.node, signal);
  return await hasWal(connection, { timeline, lsn: plan.redo }, signal);
}

/**
 * A checkpoint over there now: until one follows a promotion, the control file there still names the old timeline, and pg_rewind finds
 * nothing to do. Tablespaces that are not here yet would be linked to where they are there, which on the same machine is theirs.
 */
async function readySource(member: Member, upstream: MemberAddress, signal: AbortSignal): Promise<boolean> {
  await using session = await openUpstreamSession(member, upstream, 'rejoin', { signal });
  const files = new SourceFiles(session, signal);
  await files.beginBackup(member.binaries.version);
  await files.endBackup(member.binaries.version);
  const linked = new Set(await tablespaceLinks(member.places.data));
  return [...(await files.tablespaces())].every(([oid, location]) => !isAbsolute(location) || linked.has(`pg_tblspc/${oid}`));
}

function source(member: Member, upstream: MemberAddress): string {
  return renderConnection({
    host: upstream.host,
    port: upstream.port,
    user: replicationRole,
    dbname: 'postgres',
    passfile: passwordFile(member.places),
    connect_timeout: 5,
    gssencmode: 'disable',
  });
}
