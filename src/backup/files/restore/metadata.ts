import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { permissionsOf } from '../../tree/mode.ts';
import type { ExtendedAttribute, TreeNode } from '../../tree/node.ts';
import { timeToNs } from '../../tree/time.ts';
import { codeOf, fsPath } from '../path.ts';
import type { FileLook } from '../../reading/look-at-files.ts';
import type { Outcome, SystemCalls } from '../system.ts';
import type { RestoreIssues } from './issues.ts';

const chmod = promisify(fs.chmod);
const lchown = promisify(fs.lchown);
const lutimes = promisify(fs.lutimes);

export interface MetadataOptions {
  readonly system: SystemCalls | undefined;
  /** Owner and group, which only root may give away. */
  readonly withOwners: boolean;
  readonly issues: RestoreIssues;
}

/** What a file is like before its metadata are restored. */
export interface Before {
  /** Nothing about it is left from what was there. */
  readonly isNew: boolean;
  readonly look?: FileLook | undefined;
  readonly attributes?: Attributes | undefined;
}

type Attributes = Outcome<readonly ExtendedAttribute[]>;

/** ENODATA and EOPNOTSUPP of asm-generic/errno.h. */
const absent = 61;
const unsupported = 95;

/**
 * Owner, attributes, mode, times, in this order: a change of owner takes setuid bits and capabilities away, attributes may be lists of
 * access that change the mode, and any change moves times. What is known to be right is left alone.
 */
export async function restoreMetadata(
  target: string,
  path: string,
  node: TreeNode,
  before: Before,
  options: MetadataOptions,
): Promise<void> {
  const { system, withOwners, issues } = options;
  const { look } = before;
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      issues.addError(path, error, 'metadata');
    }
  };
  const givesAway = withOwners && !(look?.uid === node.uid && look.gid === node.gid);
  if (givesAway) await attempt(() => lchown(fsPath(target), node.uid, node.gid));
  const changes = await restoreAttributes(target, path, node, before, options);
  const mode = permissionsOf(node.mode);
  const isKept = !changes && (!givesAway || (mode & setIdBits) === 0);
  const isMode = look !== undefined && isKept && (look.mode & permissionBits) === mode;
  if (node.type !== 'symlink' && !isMode) await attempt(() => chmod(fsPath(target), mode));
  await attempt(() => setTimes(target, node, look, system));
}

const permissionBits = 0o7777;
/** All that a change of owner takes away (chown(2)). */
const setIdBits = 0o6000;

async function setTimes(target: string, node: TreeNode, look: FileLook | undefined, system: SystemCalls | undefined): Promise<void> {
  const times = { accessedNs: timeToNs(node.atime), modifiedNs: timeToNs(node.mtime) };
  if (look?.accessedNs === times.accessedNs && look.modifiedNs === times.modifiedNs) return;
  if (system === undefined) return lutimes(fsPath(target), Number(times.accessedNs) / 1e9, Number(times.modifiedNs) / 1e9);
  const { errno } = await system.setTimes(target, times);
  if (errno !== 0) throw Object.assign(new Error(`its times can not be set (errno ${errno})`), { code: `ERRNO${errno}` });
}

/** Returns whether any was to be changed. */
async function restoreAttributes(
  target: string,
  path: string,
  node: TreeNode,
  { isNew, attributes }: Before,
  { system, withOwners, issues }: MetadataOptions,
): Promise<boolean> {
  const wanted = node.extendedAttributes ?? [];
  if (system === undefined) {
    if (wanted.length > 0)
      issues.add({ path, kind: 'metadata', message: 'its extended attributes are left out: they need perl, which is not installed' });
    return false;
  }
  const problem = (name: string, errno: number): void => {
    // Whoever is not root may not set all that root had.
    if (errno === 0 || (!withOwners && errno === 1)) return;
    issues.add({ path, kind: 'metadata', message: `its extended attribute ${name} can not be written (errno ${errno})` });
  };
  const present = isNew ? undefined : (attributes ?? (await system.readAttributes([target]))[0]);
  if (present !== undefined && present.errno !== 0 && present.errno !== unsupported) problem('list', present.errno);
  const others = (present?.value ?? []).filter(({ name }) => !wanted.some((attribute) => attribute.name === name));
  for (const { name } of others) {
    const { errno } = await system.removeAttribute(target, name);
    // With its owner a file may have lost it.
    if (errno !== absent) problem(name, errno);
  }
  for (const attribute of wanted) problem(attribute.name, (await system.writeAttribute(target, attribute)).errno);
  return others.length > 0 || wanted.length > 0;
}

/** Makes what is neither a file nor a directory; what is in its place and not the same is removed. Returns false for what can not be made. */
export async function makeSpecial(target: string, path: string, node: TreeNode, { system, issues }: MetadataOptions): Promise<boolean> {
  if (node.type === 'socket' || node.type === 'irregular' || node.type === '') return false;
  await promisify(fs.unlink)(fsPath(target)).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  if (node.type === 'symlink') {
    await promisify(fs.symlink)(fsPath(node.linkTarget ?? ''), fsPath(target));
    return true;
  }
  const kind = { fifo: 0o010000, dev: 0o060000, chardev: 0o020000 }[node.type as 'fifo' | 'dev' | 'chardev'];
  if (system === undefined) {
    issues.add({ path, kind: 'unwritable', message: `a ${node.type} is left out: making it needs perl, which is not installed` });
    return false;
  }
  const { errno } = await system.makeNode(target, kind | 0o600, node.device ?? 0n);
  if (errno !== 0) issues.add({ path, kind: 'unwritable', message: `a ${node.type} can not be made (errno ${errno})` });
  return errno === 0;
}
