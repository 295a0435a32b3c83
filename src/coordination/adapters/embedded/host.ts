import { readFileSync, statfsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { HoldfastError } from '../../../core/errors.ts';

/** Which machine this is, and since which start of it. */
export interface Host {
  readonly bootId: string;
  /** machine-id and host name. */
  readonly machine: string;
}

/**
 * File systems whose locks do not hold (or not for all who see the file), by the magic number that statfs(2) gives: include/uapi/linux/magic.h
 * of Linux, and statfs(2) for those that are not in it.
 */
const unsuitable: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x564c, 'NCP'],
  [0x786f4256, 'VirtualBox shared folders'],
]);

/** @throws COORD_UNSUITABLE when the directory is not there or lies on a file system shared by machines */
export function assertSuitable(file: string): void {
  let type: number;
  try {
    // As an unsigned 32-bit number on every architecture.
    ({ type } = statfsSync(dirname(file)));
  } catch (error) {
    throw new HoldfastError('COORD_UNSUITABLE', `the directory of the embedded store, ${dirname(file)}, can not be used`, {
      hint: 'Make the directory first, writable for this user.',
      cause: error,
    });
  }
  const name = fileSystemRefused(type);
  if (name === undefined) return;
  throw new HoldfastError('COORD_UNSUITABLE', `${file} is on a file system of kind ${name}: locks on it do not keep other machines out`, {
    hint: 'Put the embedded store on a local disk, or use etcd or ZooKeeper to coordinate several machines.',
  });
}

/** The name of a file system that is refused; undefined for one that will do. */
export function fileSystemRefused(type: number): string | undefined {
  return unsuitable.get(type >>> 0);
}

/** @throws COORD_UNSUITABLE where a start of the machine can not be told from another */
export function identifyHost(): Host {
  const bootId = readText('/proc/sys/kernel/random/boot_id');
  if (bootId === undefined) {
    throw new HoldfastError(
      'COORD_UNSUITABLE',
      'the embedded store needs Linux: without /proc/sys/kernel/random/boot_id it can not tell that the machine was restarted',
      {
        hint: 'Use etcd or ZooKeeper here.',
      },
    );
  }
  const shifted = (readText('/proc/self/timens_offsets') ?? '')
    .split('\n')
    .some((line) => /^monotonic\s/.test(line) && !/^monotonic\s+0\s+0$/.test(line.trim()));
  if (shifted) {
    throw new HoldfastError(
      'COORD_UNSUITABLE',
      'this process runs in a time namespace: its clock is not that of the other processes of this machine',
      {
        hint: 'Run it without a time namespace, or use etcd or ZooKeeper.',
      },
    );
  }
  return { bootId, machine: `${readText('/etc/machine-id') ?? 'no machine-id'} ${hostname()}` };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch {
    return undefined;
  }
}
