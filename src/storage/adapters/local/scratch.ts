import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, opendir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { errnoOf } from './failure.ts';

/** Beside the objects, by a name that no key can have. Only a directory that has it is known to be the one that was opened. */
export const SCRATCH = '~holdfast';
/** What was killed left behind is removed once nothing was written to it for so long: no put rests longer, nor does a draft that is still added to. */
const leftoverMs = { put: 24 * 3_600_000, draft: 7 * 24 * 3_600_000 };
type Kind = keyof typeof leftoverMs;
/** How often they are looked for, and how many of them at once. */
const tidyEveryMs = 3_600_000;
const leftoversMax = 10_000;

/** Where objects are written before they are seen. */
export class Scratch {
  readonly path: string;
  readonly #clock: Clock;
  #tidiedAtMs = -Infinity;

  constructor(root: string, clock: Clock) {
    this.path = join(root, SCRATCH);
    this.#clock = clock;
  }

  async make(): Promise<void> {
    await mkdir(this.path, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    if (!(await lstat(this.path)).isDirectory()) await mkdir(this.path);
  }

  /** An empty file of its own name, for its owner alone. With `flushes` a write to it returns once it is on the disk. */
  async create(kind: Kind, { flushes = false } = {}): Promise<{ readonly file: FileHandle; readonly path: string }> {
    await this.#tidy();
    const path = join(this.path, `${kind}-${randomBytes(12).toString('hex')}`);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DSYNC } = constants;
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | (flushes ? O_DSYNC : 0);
    return { path, file: await open(path, flags, 0o600) };
  }

  /** Whether a file can get a second name (link(2)): FAT, and some network file systems, have no such thing. */
  async canLink(): Promise<boolean> {
    const { file, path } = await this.create('put');
    const second = `${path}-link`;
    try {
      await file.close();
      await link(path, second);
      await unlink(second);
      return true;
    } catch (error) {
      if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errnoOf(error) ?? '')) return false;
      throw error;
    } finally {
      await unlink(path);
    }
  }

  async #tidy(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#tidiedAtMs < tidyEveryMs) return;
    this.#tidiedAtMs = nowMs;
    let seen = 0;
    for await (const { name } of await opendir(this.path)) {
      const [, kind] = /^(put|draft)-[0-9a-f]{24}(?:-link)?$/.exec(name) ?? [];
      if (kind === undefined) continue;
      if (++seen > leftoversMax) return;
      const path = join(this.path, name);
      const info = await lstat(path).catch(() => undefined);
      if (info !== undefined && this.#clock.wallMs() - info.mtimeMs > leftoverMs[kind as Kind]) await unlink(path).catch(() => {});
    }
  }
}
