import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { permissionsOf } from '../../tree/mode.ts';
import type { TreeNode } from '../../tree/node.ts';
import { timeToNs } from '../../tree/time.ts';
import { codeOf, fsPath } from '../path.ts';
import type { SystemCalls } from '../system.ts';
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

const unsupported = 95;

/**
 * Owner, attributes, mode, times, in this order: a change of owner takes setuid bits and capabilities away, and any change moves times.
 * `isNew`: nothing about the file is left from before.
 */
export async function restoreMetadata(
  target: string,
  path: string,
  node: TreeNode,
  isNew: boolean,
  options: MetadataOptions,
): Promise<void> {
  const { system, withOwners, issues } = options;
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      issues.addError(path, error, 'metadata');
    }
  };
  if (withOwners) await attempt(() => lchown(fsPath(target), node.uid, node.gid));
  await restoreAttributes(target, path, node, isNew, options);
  if (node.type !== 'symlink') await attempt(() => chmod(fsPath(target), permissionsOf(node.mode)));
  await attempt(() => setTimes(target, node, system));
}

async function setTimes(target: string, node: TreeNode, system: SystemCalls | undefined): Promise<void> {
  const times = { accessedNs: timeToNs(node.atime), modifiedNs: timeToNs(node.mtime) };
  if (system === undefined) return lutimes(fsPath(target), Number(times.accessedNs) / 1e9, Number(times.modifiedNs) / 1e9);
  const { errno } = await system.setTimes(target, times);
  if (errno !== 0) throw Object.assign(new Error(`its times can not be set (errno ${errno})`), { code: `ERRNO${errno}` });
}

async function restoreAttributes(
  target: string,
  path: string,
  node: TreeNode,
  isNew: boolean,
  { system, withOwners, issues }: MetadataOptions,
): Promise<void> {
  const wanted = node.extendedAttributes ?? [];
  if (system === undefined) {
    if (wanted.length > 0)
      issues.add({ path, kind: 'metadata', message: 'its extended attributes are left out: they need perl, which is not installed' });
    return;
  }
  const problem = (name: string, errno: number): void => {
    // Whoever is not root may not set all that root had.
    if (errno === 0 || (!withOwners && errno === 1)) return;
    issues.add({ path, kind: 'metadata', message: `its extended attribute ${name} can not be written (errno ${errno})` });
  };
  if (!isNew) {
    const [present] = await system.readAttributes([target]);
    if (present !== undefined && present.errno !== 0 && present.errno !== unsupported) problem('list', present.errno);
    for (const { name } of present?.value ?? []) {
      if (!wanted.some((attribute) => attribute.name === name)) problem(name, (await system.removeAttribute(target, name)).errno);
    }
  }
  for (const attribute of wanted) problem(attribute.name, (await system.writeAttribute(target, attribute)).errno);
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
