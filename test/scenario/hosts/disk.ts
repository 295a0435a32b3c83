import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalled } from './network.ts';
import { run } from './machine.ts';

const PROGRAMS = ['mkfs.ext4', 'mount', 'umount', 'fsfreeze', 'fallocate'];
/** A disk that nobody thaws, because this process died, thaws by itself. */
const FROZEN_S_MAX = 120;
const UNMOUNTS_MAX = 100;
const UNMOUNT_AGAIN_MS = 50;

/** What is missing for disks on this machine; undefined when nothing is. With HOLDFAST_REQUIRE=all what is missing is an error. */
export function whyNoDisks(): string | undefined {
  const absent = PROGRAMS.filter((program) => !['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((path) => existsSync(join(path, program))));
  const why = process.getuid?.() !== 0 ? 'needs root' : absent.length > 0 ? `needs ${absent.join(', ')}` : noLoops();
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`disks: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

function noLoops(): string | undefined {
  return existsSync('/dev/loop-control') ? undefined : 'needs loop devices';
}

/** A small disk of its own: ext4 in a file. It can be filled, made to stand still, and made slow. */
export class Disk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #image: string;
  #thawing: ChildProcess | undefined;
  #slowing: { stop: AbortController; done: Promise<void> } | undefined;

  private constructor(path: string, image: string) {
    this.path = path;
    this.#image = image;
  }

  static async make(path: string, mib: number): Promise<Disk> {
    await removeLeftovers();
    const disk = new Disk(path, `${path}-${process.pid}.img`);
    await writeFile(disk.#image, '');
    await truncate(disk.#image, mib * 1_048_576);
    await run('mkfs.ext4', ['-q', '-m', '0', '-E', 'lazy_itable_init=1,nodiscard', disk.#image]);
    await mkdir(path);
    await run('mount', ['-o', 'loop,noatime', disk.#image, path]);
    await chmod(path, 0o711);
    return disk;
  }

  /** Takes all space that is left. */
  async fill(): Promise<void> {
    const { bavail, bsize } = await statfs(this.path);
    const file = join(this.path, 'ballast');
    // Whoever writes meanwhile may leave less than was seen.
    for (let size = bavail * bsize; size > 0; size -= 64 * bsize)
      if (
        await run('fallocate', ['-l', String(size), file])
          .then(() => true)
          .catch(() => false)
      )
        break;
    await run('dd', ['if=/dev/zero', `of=${join(this.path, 'ballast-rest')}`, `bs=${bsize}`]).catch(() => {});
  }

  async empty(): Promise<void> {
    await rm(join(this.path, 'ballast'), { force: true });
    await rm(join(this.path, 'ballast-rest'), { force: true });
  }

  /** Whoever writes waits, and can not be killed, until `thaw`. Reading goes on. */
  async freeze(): Promise<void> {
    this.#thawing = spawn('sh', ['-c', `sleep ${FROZEN_S_MAX}; fsfreeze --unfreeze "$1"`, 'sh', this.path], {
      detached: true,
      stdio: 'ignore',
    });
    await run('fsfreeze', ['--freeze', this.path]);
  }

  /** Does nothing when it is not frozen. */
  async thaw(): Promise<void> {
    this.#slowing?.stop.abort();
    await this.#slowing?.done;
    this.#slowing = undefined;
    await this.#thaw();
  }

  async #thaw(): Promise<void> {
    const { pid } = this.#thawing ?? {};
    this.#thawing = undefined;
    if (pid === undefined) return;
    process.kill(-pid, 'SIGKILL');
    await run('fsfreeze', ['--unfreeze', this.path]);
  }

  /** Of each period it lets writes through for a part only, until `thaw`. */
  slow(standsMs: number, movesMs: number): void {
    const stop = new AbortController();
    const pulse = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        await this.freeze();
        await sleep(standsMs, undefined, { signal: stop.signal }).catch(() => {});
        await this.#thaw();
        await sleep(movesMs, undefined, { signal: stop.signal }).catch(() => {});
      }
    };
    this.#slowing = { stop, done: pulse() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.thaw().catch(() => {});
    await unmount(this.path);
    await rm(this.#image, { force: true });
  }
}

async function unmount(path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return void (await run('umount', [path]));
    } catch (error) {
      if (tries === UNMOUNTS_MAX) throw error;
      await sleep(UNMOUNT_AGAIN_MS);
    }
  }
}

/** Disks of dead processes: their images are named after them. */
async function removeLeftovers(): Promise<void> {
  for (const device of await readdir('/sys/block')) {
    const image = await readFile(`/sys/block/${device}/loop/backing_file`, 'utf8').catch(() => '');
    const [, path, pid] = /^(\/.*\/holdfast-hosts-[^/]+\/[^/]+-disk)-(\d+)\.img(?: \(deleted\))?\s*$/.exec(image) ?? [];
    if (path === undefined || signalled(Number(pid), 0)) continue;
    await run('fsfreeze', ['--unfreeze', path]).catch(() => {});
    await run('umount', ['--lazy', path]).catch(() => {});
  }
}
