import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from '../../core/processes.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import { guardScript } from './guard-script.ts';

/** What the guard did when the deadline had passed. Times are milliseconds since boot, but for `at`. */
export interface Strike {
  readonly deadlineBootMs: number;
  readonly beganBootMs: number;
  readonly doneBootMs: number;
  /** Processes that it ended. */
  readonly processes: number;
  /** ISO 8601. */
  readonly at: string;
}

const makeFifoMsMax = 5_000;
const recordBytesMax = 4_096;

/** The directory in which a guard and the agents meet, one after another; see guard-script.ts. */
export class GuardHome {
  readonly control: string;
  readonly reply: string;
  readonly script: string;
  readonly log: string;
  readonly #directory: string;

  constructor(stateDir: string) {
    this.#directory = join(stateDir, 'guard');
    this.control = join(this.#directory, 'control');
    this.reply = join(this.#directory, 'reply');
    this.script = join(this.#directory, 'guard.sh');
    this.log = join(this.#directory, 'guard.log');
  }

  get directory(): string {
    return this.#directory;
  }

  /** Makes what is missing. A guard that runs already is not disturbed: it has opened what it needs. */
  async prepare(runtime: MachineRuntime): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const path of [this.control, this.reply]) {
      const stat = await lstat(path).catch(() => undefined);
      if (stat?.isFIFO() === true) continue;
      await rm(path, { recursive: true, force: true });
      const { code, stderr } = await runtime.processes.run('mkfifo', ['-m', '600', path], { timeoutMs: makeFifoMsMax });
      if (code !== 0) throw new Error(stderr.trim());
    }
  }

  /** As a new file: bash reads a script as it goes, and a running guard must go on with the text that it began with. */
  async writeScript(): Promise<void> {
    const temporary = `${this.script}.tmp`;
    await rm(temporary, { force: true });
    {
      await using file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o700);
      await file.writeFile(guardScript);
    }
    await rename(temporary, this.script);
  }

  /** Who the guard said it was when it started; it may have ended since. */
  async readIdentity(): Promise<ProcessIdentity | undefined> {
    const [, pid, startTicks] = /^(\d{1,10}) (\d{1,19})\n$/.exec(await this.#read('identity')) ?? [];
    return pid === undefined ? undefined : { pid: Number(pid), startTicks: Number(startTicks) };
  }

  /** The last kill that nobody has taken notice of, once. */
  async takeStrike(): Promise<Strike | undefined> {
    const fields = /^(\d+) (\d+) (\d+) (\d+) (\d+)\n$/
      .exec(await this.#read('strike'))
      ?.slice(1)
      .map(Number);
    if (fields === undefined) return undefined;
    await rm(join(this.#directory, 'strike'), { force: true });
    const [deadlineBootMs = 0, beganBootMs = 0, doneBootMs = 0, processes = 0, wallSeconds = 0] = fields;
    return { deadlineBootMs, beganBootMs, doneBootMs, processes, at: new Date(wallSeconds * 1_000).toISOString() };
  }

  async #read(name: string): Promise<string> {
    const text = await readFile(join(this.#directory, name), 'latin1').catch(() => '');
    return text.length > recordBytesMax ? '' : text;
  }
}
