import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { ControlFile } from './control-file.ts';
import { flushDirectory, writeDurably } from './durable-file.ts';
import { flushTree, give } from './durable-tree.ts';
import type { Member } from './member.ts';

/** `pg_tblspc/OID` of each tablespace of a data directory that is elsewhere. */
export async function tablespaceLinks(data: string): Promise<string[]> {
  const entries = await readdir(join(data, 'pg_tblspc'), { withFileTypes: true });
  return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => `pg_tblspc/${name}`);
}

/** What one version keeps in a tablespace's directory (TABLESPACE_VERSION_DIRECTORY of catversion.h). */
export function versionDirectory({ binaries }: Member, { catalogVersion }: ControlFile): string {
  return `PG_${binaries.version.major}_${catalogVersion}`;
}

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
    await openTarget(member, target);
    await symlink(target, link);
  }
}

/** What Holdfast itself keeps in a tablespace's directory, and what a file system does. */
export const notInTheWay = /^(holdfast\.(aside|partial)-.*|lost\+found)$/;

/** Makes sure that a directory is there, the account's, and free for a tablespace. @throws ENGINE_TABLESPACE_IN_USE */
async function openTarget(member: Member, target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  await releaseFromAside(member, target);
  const inTheWay = (await readdir(target)).filter((name) => !notInTheWay.test(name));
  if (inTheWay.length > 0) {
    throw new HoldfastError(
      'ENGINE_TABLESPACE_IN_USE',
      `'${target}', which is to hold a tablespace, already holds ${inTheWay.slice(0, 5).join(', ')}`,
      {
        hint: `Move that aside, or give another place in \`tablespaces\` of service '${member.context.service}' on this node.`,
      },
    );
  }
  if ((await stat(target)).uid !== (member.context.account?.uid ?? process.getuid?.())) await give(target, member.context.account);
}

/** Data that was moved aside takes what it has in tablespaces with it, out of the way but in the same file system. */
export async function moveTablespacesAside(
  asideData: string,
  into = `holdfast.aside-${basename(asideData).split('.aside-')[1] ?? 'unnamed'}`,
): Promise<void> {
  for (const link of await tablespaceLinks(asideData)) {
    const path = join(asideData, link);
    const target = await readlink(path);
    if (notInTheWay.test(basename(target))) continue;
    const names = (await readdir(target).catch(() => [])).filter((name) => name.startsWith('PG_'));
    const aside = join(target, into);
    await mkdir(aside, { recursive: true, mode: 0o700 });
    for (const name of names) await rename(join(target, name), join(aside, name));
    await rm(path);
    await symlink(aside, path);
    await flushDirectory(target);
  }
}

/** Finishes such a move that a crash interrupted: data aside that still has a link to where a new tablespace is to be. */
async function releaseFromAside(member: Member, target: string): Promise<void> {
  const { data } = member.places;
  for (const name of await readdir(dirname(data))) {
    const aside = join(dirname(data), name);
    if (!name.startsWith(`${basename(data)}.aside-`)) continue;
    const links = await tablespaceLinks(aside).catch(() => []);
    const targets = await Promise.all(links.map((link) => readlink(join(aside, link))));
    if (targets.includes(target)) await moveTablespacesAside(aside);
  }
}

/** Of a tablespace in the making, beside where it is to be. */
export function partialName(attempt: string): string {
  return `holdfast.partial-${attempt}`;
}

const journalSchema = z.array(z.string());

/**
 * Tablespaces of a copy in the making. They are unpacked beside where they are to be, and moved there only when the whole copy is there. A
 * journal tells the next attempt which were moved when the main directory was not.
 */
export class TablespaceCopies {
  readonly #member: Member;
  readonly #suffix: string;
  #targets: string[] = [];

  /** @param attempt goes on with what earlier ones of the same name have left; without one, what they left is removed */
  constructor(member: Member, attempt: string = randomBytes(8).toString('hex')) {
    this.#member = member;
    this.#suffix = attempt;
  }

  /** @throws ENGINE_TABLESPACE_IN_USE */
  async prepare(locations: readonly string[]): Promise<void> {
    await this.#clearEarlier();
    this.#targets = locations.map((location) => relocated(this.#member, location));
    for (const target of this.#targets) {
      await openTarget(this.#member, target);
      for (const name of await readdir(target))
        if (name.startsWith('holdfast.partial-') && join(target, name) !== this.#partial(target))
          await rm(join(target, name), { recursive: true, force: true });
      await mkdir(this.#partial(target), { mode: 0o700, recursive: true });
      await give(this.#partial(target), this.#member.context.account);
    }
  }

  /** Where the archive of a tablespace is unpacked. */
  unpackInto(location: string): string {
    return this.#partial(relocated(this.#member, location));
  }

  /** Moves all into place, durably. To be followed at once by the main directory. */
  async settle(signal: AbortSignal): Promise<void> {
    if (this.#targets.length === 0) return;
    await writeDurably(this.#member.places.tablespaces, `${JSON.stringify(this.#targets)}\n`, { account: undefined });
    for (const target of this.#targets) {
      const partial = this.#partial(target);
      await flushTree(this.#member.runtime.processes, partial, signal);
      for (const name of await readdir(partial)) await rename(join(partial, name), join(target, name));
      await rm(partial, { recursive: true });
      await flushDirectory(target);
    }
  }

  /** To be called once the main directory is in place. */
  async finish(): Promise<void> {
    await rm(this.#member.places.tablespaces, { force: true });
  }

  /** Lets the links of a data directory, in which a server has made them to where its tablespaces are still, lead to where they will be. */
  async relink(directory: string, tablespaces: readonly { readonly oid: string; readonly location: string }[]): Promise<void> {
    for (const { oid, location } of tablespaces) {
      const link = join(directory, 'pg_tblspc', oid);
      await rm(link, { force: true });
      await symlink(relocated(this.#member, location), link);
    }
  }

  async discard(): Promise<void> {
    for (const target of this.#targets) await rm(this.#partial(target), { recursive: true, force: true });
  }

  /** Not deleted but moved aside: should the journal be wrong, nothing is lost. */
  async #clearEarlier(): Promise<void> {
    const text = await readFile(this.#member.places.tablespaces, 'utf8').catch(() => undefined);
    if (text === undefined) return;
    for (const target of journalSchema.parse(JSON.parse(text))) {
      const names = (await readdir(target).catch(() => [])).filter((name) => name.startsWith('PG_'));
      const aside = join(target, `holdfast.aside-unfinished-${randomBytes(8).toString('hex')}`);
      if (names.length > 0) await mkdir(aside, { mode: 0o700 });
      for (const name of names) await rename(join(target, name), join(aside, name));
    }
    await this.finish();
  }

  #partial(target: string): string {
    return join(target, partialName(this.#suffix));
  }
}
