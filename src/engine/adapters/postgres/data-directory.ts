import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { EngineContext, Position } from '../../engine.ts';
import type { PostgresVersion } from './binaries.ts';
import { parkedControl, readControlFile, type ControlFile } from './control-file.ts';
import { flushDirectory, writeDurably } from './durable-file.ts';
import { ownershipProblem } from './durable-tree.ts';
import type { Places } from './places.ts';

const markerName = 'holdfast.json';
const markerSchema = z.object({
  cluster: z.string(),
  service: z.string(),
  systemId: z.string().regex(/^\d+$/),
  /** Where the copy ended that the data came from. */
  copied: z.object({ timeline: z.number().int(), lsn: z.string().regex(/^\d+$/).transform(BigInt) }).optional(),
});

export type DataState =
  | { readonly state: 'absent' }
  | { readonly state: 'foreign'; readonly failure: HoldfastError }
  /** `rejoining`: in the midst of being brought back onto a common history; nothing else may use it. */
  | { readonly state: 'present'; readonly control: ControlFile; readonly rejoining: boolean };

/** What is in the data directory, and whether it is ours to touch. Changes nothing. */
export async function examineData(places: Places, context: EngineContext, version: PostgresVersion): Promise<DataState> {
  const { data } = places;
  const entries = await readdir(data).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    return error;
  });
  if (!Array.isArray(entries))
    return foreign(
      `'${data}' can not be read: ${messageOf(entries)}`,
      'Make `data` a directory that Holdfast may read, or name another one.',
    );
  if (entries.length === 0) return { state: 'absent' };
  try {
    return await examinePresent(places, context, version);
  } catch (error) {
    return foreign(
      messageOf(error),
      error instanceof HoldfastError ? error.hint : 'Look into the directory; move it aside, and Holdfast makes this member anew.',
      error,
    );
  }
}

async function examinePresent(places: Places, context: EngineContext, version: PostgresVersion): Promise<DataState> {
  const { data } = places;
  if (!existsSync(join(data, markerName))) {
    return foreign(
      `'${data}' is not empty, and was not made by Holdfast`,
      'Name an empty or absent directory as `data`; nothing in this one has been touched.',
    );
  }
  const marker = markerSchema.parse(JSON.parse(await readFile(join(data, markerName), 'utf8')));
  if (marker.cluster !== context.cluster || marker.service !== context.service) {
    return foreign(
      `'${data}' belongs to service '${marker.service}' of cluster '${marker.cluster}', not to '${context.service}' of '${context.cluster}'`,
      'Name another directory as `data`; nothing in this one has been touched.',
    );
  }
  const major = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  if (major !== String(version.major)) {
    return foreign(
      `'${data}' was made by PostgreSQL ${major}, but \`bin\` is ${version.text}`,
      `Set \`bin\` to the programs of PostgreSQL ${major}, or upgrade the data with pg_upgrade.`,
      undefined,
      'ENGINE_VERSION_MISMATCH',
    );
  }
  const problem = await ownershipProblem(data, context.account);
  if (problem !== undefined)
    return foreign(problem, `Give the directory to ${context.account?.name ?? 'the user that Holdfast runs as'}, with mode 0700.`);
  const parked = existsSync(join(data, 'global', parkedControl));
  const control = await readControlFile(data, parked ? parkedControl : undefined);
  if (control.systemId !== marker.systemId) {
    return foreign(
      `'${data}' holds database system ${control.systemId}, where Holdfast made ${marker.systemId}`,
      'Somebody has put other data there: put the right data back, or move it aside.',
    );
  }
  return { state: 'present', control, rejoining: parked || existsSync(places.rejoin) };
}

/** Marks a directory that is still being made as ours. */
export async function writeMarker(directory: string, context: EngineContext, systemId: string, copied?: Position): Promise<void> {
  const source = copied === undefined ? {} : { copied: { timeline: copied.timeline, lsn: copied.lsn.toString() } };
  const marker = { cluster: context.cluster, service: context.service, systemId, ...source };
  await writeDurably(join(directory, markerName), `${JSON.stringify(marker)}\n`, { account: context.account });
}

/** What the marker in a directory states; undefined when there is none. */
export async function readMarker(directory: string): Promise<z.infer<typeof markerSchema> | undefined> {
  const text = await readFile(join(directory, markerName), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : markerSchema.safeParse(JSON.parse(text)).data;
}

/** @throws ENGINE_DATA_PRESENT, ENGINE_FOREIGN_DATA, ENGINE_UNSUITABLE: a new data directory can not be put in place */
export async function requireAbsent(places: Places, context: EngineContext, version: PostgresVersion): Promise<void> {
  const { data } = places;
  const found = await examineData(places, context, version);
  if (found.state === 'foreign') throw found.failure;
  if (found.state === 'present') {
    throw new HoldfastError('ENGINE_DATA_PRESENT', `'${data}' already has data of this service`, {
      hint: 'Move it aside first (holdfast reinit does).',
    });
  }
  const parent = await stat(dirname(data)).catch(() => undefined);
  const own = await lstat(data).catch(() => undefined);
  if (own !== undefined && parent !== undefined && own.dev !== parent.dev) {
    throw new HoldfastError('ENGINE_UNSUITABLE', `'${data}' is itself a mount point, and can not be replaced as a whole`, {
      hint: `Name a directory inside it as \`data\`, for example '${join(data, 'data')}'.`,
    });
  }
}

/** @throws ENGINE_FOREIGN_DATA, ENGINE_DATA_ABSENT, ENGINE_REJOIN_UNFINISHED */
export async function requirePresent(places: Places, context: EngineContext, version: PostgresVersion): Promise<ControlFile> {
  const { data } = places;
  const found = await examineData(places, context, version);
  if (found.state === 'foreign') throw found.failure;
  if (found.state === 'present' && found.rejoining) throw rejoinUnfinished(data);
  if (found.state === 'present') return found.control;
  throw new HoldfastError('ENGINE_DATA_ABSENT', `'${data}' has no data yet`, {
    hint: 'It is made when the cluster starts, or copied from another member.',
  });
}

export function rejoinUnfinished(data: string): HoldfastError {
  return new HoldfastError(
    'ENGINE_REJOIN_UNFINISHED',
    `'${data}' was being brought back onto the common history when that was interrupted`,
    {
      retryable: true,
      hint: 'It is begun again by itself where failover is not paused; until then the data can not be used.',
    },
  );
}

/** Whether it was set up to follow someone: it would start as a replica. */
export function isReplicaData(data: string): boolean {
  return existsSync(join(data, 'standby.signal')) || existsSync(join(data, 'recovery.signal'));
}

/** Whether it is a copy that has not yet been started: its control file is its source's. */
export function isFreshCopy(data: string): boolean {
  return existsSync(join(data, 'backup_label'));
}

/**
 * What stopped data were when they last ran, and so what may be done with them: a primary's may be started again on its timeline, a
 * replica's must be promoted. Undefined for a copy that never ran. The control file decides where the signal file is gone: a crash within a
 * promotion leaves data that would start as a primary on the old timeline, as others have it.
 */
export function lastRole(data: string, control: ControlFile): 'primary' | 'replica' | undefined {
  if (isFreshCopy(data)) return undefined;
  return isReplicaData(data) || hasRecovered(control) ? 'replica' : 'primary';
}

/** Whether its control file is that of a replica that ran. */
export function hasRecovered(control: ControlFile): boolean {
  return control.state === 'in archive recovery' || control.state === 'shut down in recovery';
}

/** `DATA.aside-UTC-REASON`, with what a file name may hold. Durable. */
export async function moveAside(data: string, reason: string, wallMs: number): Promise<string> {
  const words =
    reason
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40) || 'unnamed';
  const stamp = new Date(wallMs)
    .toISOString()
    .replaceAll(/[-:]/g, '')
    .replace(/\.\d+Z$/, 'Z');
  const plain = join(dirname(data), `${basename(data)}.aside-${stamp}-${words}`);
  let target = plain;
  for (let copy = 2; existsSync(target) && copy < 1000; copy += 1) target = `${plain}-${copy}`;
  await rename(data, target);
  await flushDirectory(dirname(data));
  return target;
}

function foreign(message: string, hint: string, cause?: unknown, code = 'ENGINE_FOREIGN_DATA'): DataState {
  return { state: 'foreign', failure: new HoldfastError(code, message, { hint, ...(cause === undefined ? {} : { cause }) }) };
}
