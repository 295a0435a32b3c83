import { lstat, mkdir, readdir, stat, symlink } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';
import { give } from './durable-tree.ts';
import type { Member } from './member.ts';

/** Where a tablespace of another member is to be here. */
export function relocated(member: Member, location: string): string {
  return Object.hasOwn(member.config.tablespaces, location) ? member.config.tablespaces[location]! : location;
}

/** Makes the links that are missing, to empty directories. What is linked already stays. @throws ENGINE_TABLESPACE_IN_USE */
export async function linkTablespaces(member: Member, tablespaces: ReadonlyMap<string, string>): Promise<void> {
  for (const [oid, location] of tablespaces) {
    const link = join(member.places.data, 'pg_tblspc', oid);
    // One that is in place (allow_in_place_tablespaces) is an ordinary directory.
    if (!isAbsolute(location) || (await lstat(link).catch(() => undefined)) !== undefined) continue;
    const target = relocated(member, location);
    await openEmpty(member, target);
    await symlink(target, link);
  }
}

/** @throws ENGINE_TABLESPACE_IN_USE */
export async function openEmpty(member: Member, target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  if ((await readdir(target)).length > 0) throw inUse(member, target);
  if ((await stat(target)).uid !== (member.context.account?.uid ?? process.getuid?.())) await give(target, member.context.account);
}

function inUse(member: Member, target: string): HoldfastError {
  return new HoldfastError('ENGINE_TABLESPACE_IN_USE', `the directory '${target}' for a tablespace is not empty`, {
    hint: `Move what is there aside, or give another place in \`tablespaces\` of service '${member.context.service}' on this node.`,
  });
}
