import { statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HoldfastConfig } from '../../config/schema.ts';
import { formatSizeBytes } from '../../core/units.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const freeBytesLow = 1024 * 1024 * 1024;
const freeBytesLeast = 64 * 1024 * 1024;

/** Magic numbers of statfs(2). */
const fileSystems: ReadonlyMap<number, { readonly name: string; readonly trouble?: 'network' | 'volatile' }> = new Map([
  [0xef53, { name: 'ext4' }],
  [0x58465342, { name: 'xfs' }],
  [0x9123683e, { name: 'btrfs' }],
  [0x2fc12fc1, { name: 'zfs' }],
  [0x794c7630, { name: 'overlayfs' }],
  [0x01021994, { name: 'tmpfs', trouble: 'volatile' }],
  [0x858458f6, { name: 'ramfs', trouble: 'volatile' }],
  [0x6969, { name: 'NFS', trouble: 'network' }],
  [0xff534d42, { name: 'CIFS', trouble: 'network' }],
  [0xfe534d42, { name: 'SMB', trouble: 'network' }],
  [0x65735546, { name: 'FUSE', trouble: 'network' }],
  [0x01021997, { name: '9p', trouble: 'network' }],
]);

/** The directories that the configuration names: who owns them, what kind of disk they are on, how much is free. */
export function inspectDirectories(config: HoldfastConfig): readonly Finding[] {
  const findings = [...inspectDirectory('state', config.node.state)];
  for (const [service, { postgres }] of Object.entries(config.services)) {
    if (postgres) findings.push(...inspectDirectory(service, postgres.data), ...inspectData(service, postgres.data));
  }
  return findings;
}

function inspectDirectory(area: string, directory: string): readonly Finding[] {
  const { ok, warn, fail } = findingsOf(area);
  const there = nearestExisting(directory);
  const { type, bsize, bavail } = statfsSync(there);
  // The kernel's numbers are unsigned; Node gives them as it gets them.
  const kind = fileSystems.get(type >>> 0);
  const free = bavail * bsize;
  const room = `${formatSizeBytes(free)} free for ${directory}`;
  const findings = [
    free < freeBytesLeast
      ? fail(room, 'Make room before starting.')
      : free < freeBytesLow
        ? warn(room, 'Make room: a full disk stops a database.')
        : ok(room),
  ];
  if (kind?.trouble === 'volatile')
    findings.push(fail(`${directory} is on ${kind.name}: gone with the next boot, and promises with it`, 'Put it on a disk.'));
  else if (kind?.trouble === 'network')
    findings.push(warn(`${directory} is on ${kind.name}`, 'Put it on a local disk: flushes that a network answers for are no promise.'));
  else findings.push(ok(`${directory} is on ${kind?.name ?? `a file system of type 0x${(type >>> 0).toString(16)}`}`));
  return findings;
}

function inspectData(area: string, directory: string): readonly Finding[] {
  const { ok, warn, fail } = findingsOf(area);
  const found = statSync(directory, { throwIfNoEntry: false });
  if (!found) return [ok(`${directory} will be made`)];
  if (!found.isDirectory()) return [fail(`${directory} is no directory`, 'Name the data directory of this service.')];
  const mode = found.mode & 0o777;
  const findings: Finding[] = [];
  if (mode !== 0o700 && mode !== 0o750)
    findings.push(fail(`${directory} has mode ${mode.toString(8)}, which PostgreSQL refuses`, `chmod 700 ${directory}`));
  const me = process.getuid?.();
  if (me !== undefined && me !== 0 && found.uid !== me) {
    findings.push(fail(`${directory} belongs to user ${found.uid}, and this is user ${me}`, 'Run the agent as its owner, or as root.'));
  }
  if (me === 0 && found.uid === 0)
    findings.push(
      warn(`${directory} belongs to root, as whom PostgreSQL does not run`, `chown it to the user that PostgreSQL is to run as.`),
    );
  const parent = statSync(dirname(directory));
  if (parent.dev !== found.dev) {
    findings.push(
      warn(
        `${directory} is a mount point: data can not be moved aside and made anew there`,
        `Use a directory below it, such as ${join(directory, 'data')}.`,
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(`${directory} is there, mode ${mode.toString(8)}, of user ${found.uid}`)];
}

function nearestExisting(path: string): string {
  return path === dirname(path) || statSync(path, { throwIfNoEntry: false }) ? path : nearestExisting(dirname(path));
}
