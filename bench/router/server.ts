import { randomBytes } from 'node:crypto';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../test/scenario/servers/server-process.ts';
import type { Account } from '../../src/core/processes.ts';
import { createClock, createProcesses } from '../../src/runtime/index.ts';

const INITDB_MS_MAX = 60_000;
const READY_MS_MAX = 20_000;

/** One PostgreSQL as initdb leaves it, on loopback. */
export class Server implements AsyncDisposable {
  readonly port: number;
  readonly password: string;
  readonly #data: string;

  private constructor(port: number, password: string, data: string) {
    this.port = port;
    this.password = password;
    this.#data = data;
  }

  static async start(options: { directory: string; postgresBin: string; account: Account | undefined }): Promise<Server> {
    const { directory, postgresBin, account } = options;
    const processes = createProcesses();
    const [port, password, data] = [(await freePorts(1))[0]!, randomBytes(16).toString('hex'), join(directory, 'data')];
    await mkdir(data, { recursive: true, mode: 0o700 });
    const passwordFile = join(directory, 'password');
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    if (account !== undefined) for (const path of [directory, data, passwordFile]) await chown(path, account.uid, account.gid);
    const as = { cwd: directory, ...(account !== undefined && { account }) };
    const args = ['-D', data, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--locale=C', '-E', 'UTF8'];
    const initdb = await processes.run(join(postgresBin, 'initdb'), args, { ...as, timeoutMs: INITDB_MS_MAX });
    if (initdb.code !== 0) throw new Error(`initdb failed: ${initdb.stderr}`);
    const settings = ['-c', 'listen_addresses=127.0.0.1', '-p', String(port), '-k', directory];
    await processes.startDetached(join(postgresBin, 'postgres'), ['-D', data, ...settings], {
      ...as,
      logFile: join(directory, 'postgres.log'),
    });
    const server = new Server(port, password, data);
    await server.#untilReady(join(postgresBin, 'pg_isready'));
    return server;
  }

  async #untilReady(isReady: string): Promise<void> {
    const [clock, processes] = [createClock(), createProcesses()];
    const deadlineMs = clock.monotonicMs() + READY_MS_MAX;
    while ((await processes.run(isReady, ['-h', '127.0.0.1', '-p', String(this.port)], { timeoutMs: READY_MS_MAX })).code !== 0) {
      if (clock.monotonicMs() > deadlineMs) throw new Error(`PostgreSQL was not ready after ${READY_MS_MAX / 1_000} s: see ${this.#data}`);
      await clock.sleep(50);
    }
  }

  /** Nobody needs these data any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    const processes = createProcesses();
    for (const identity of processes.withWorkingDirectory(this.#data)) processes.kill(identity, 'SIGKILL');
  }
}
