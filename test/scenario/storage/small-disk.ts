import { spawnSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { run } from '../hosts/machine.ts';

/** Why no file system can be mounted here; undefined when one can. With HOLDFAST_REQUIRE=all that is an error. */
export function whyNoSmallDisk(): string | undefined {
  const why =
    process.getuid?.() !== 0
      ? 'needs root'
      : spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
        ? undefined
        : 'needs the right to mount';
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`small disk: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

/** A file system in memory that is soon full. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async mount(path: string, mib: number): Promise<SmallDisk> {
    await mkdir(path, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=700`, 'tmpfs', path]);
    return new SmallDisk(path);
  }

  /** Takes it away, or brings it back read-only or not. */
  async remount(options: string): Promise<void> {
    await run('mount', ['-o', `remount,${options}`, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.path]);
    await rm(this.path, { recursive: true });
  }
}
