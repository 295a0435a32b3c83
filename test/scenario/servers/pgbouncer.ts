import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export const pgbouncerProgram = ['pgbouncer', '/usr/sbin/pgbouncer'].find((program) => spawnSync(program, ['--version']).status === 0);
if (pgbouncerProgram === undefined && process.env['HOLDFAST_REQUIRE'] === 'all')
  throw new Error('pgbouncer is absent, and HOLDFAST_REQUIRE=all');

/** `nobody`: PgBouncer refuses root. */
const NOBODY = 65_534;

/** A PgBouncer with the configuration of docs/router.md word for word, but for addresses and places. */
export class Pgbouncer implements AsyncDisposable {
  readonly port: number;
  readonly consolePassword = 'c0nsole';
  readonly #directory: string;
  readonly #password: string;
  #child: ChildProcess | undefined;

  /** @param password of the user postgres, here and on the servers */
  static async prepare(directory: string, port: number, password: string, change = (text: string): string => text): Promise<Pgbouncer> {
    const prepared = new Pgbouncer(directory, port, password);
    await mkdir(directory, { recursive: true });
    const page = await readFile(new URL('../../../docs/router.md', import.meta.url), 'utf8');
    const text = /```pgbouncer\n([\s\S]*?)```/
      .exec(page)![1]!
      .replace('/etc/pgbouncer/holdfast/orders.ini', prepared.file)
      .replace('listen_addr = *', 'listen_addr = 127.0.0.1')
      .replace('6432', String(port))
      .replace('/etc/pgbouncer/userlist.txt', join(directory, 'userlist.txt'));
    if (/\/etc|= \*|6432/.test(text)) throw new Error('the page has changed');
    const more = `unix_socket_dir =\nlogfile = ${join(directory, 'log')}\n${process.getuid?.() === 0 ? 'user = nobody\n' : ''}`;
    await writeFile(prepared.#configuration, change(text + more));
    const users = { postgres: password, holdfast: prepared.consolePassword, guest: 'guest' };
    await writeFile(
      join(directory, 'userlist.txt'),
      Object.entries(users)
        .map(([name, secret]) => `"${name}" "${secret}"\n`)
        .join(''),
    );
    await chmod(directory, 0o755);
    if (process.getuid?.() === 0) await chown(directory, NOBODY, NOBODY);
    await writeFile(prepared.consolePasswordFile, prepared.consolePassword, { mode: 0o600 });
    return prepared;
  }

  private constructor(directory: string, port: number, password: string) {
    this.#directory = directory;
    this.port = port;
    this.#password = password;
  }

  /** What it includes. */
  get file(): string {
    return join(this.#directory, 'databases.ini');
  }

  get consolePasswordFile(): string {
    return join(this.#directory, 'console.secret');
  }

  get #configuration(): string {
    return join(this.#directory, 'pgbouncer.ini');
  }

  connection(database: string): string {
    return `postgresql://postgres:${this.#password}@127.0.0.1:${this.port}/${database}`;
  }

  async start(): Promise<void> {
    const child = spawn(pgbouncerProgram!, ['-q', this.#configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
    this.#child = child;
    for (let turn = 0; turn < 1_000; turn++) {
      if (child.exitCode !== null) break;
      if ((await this.ask('SHOW VERSION').catch(() => undefined)) !== undefined) return;
      await sleep(30);
    }
    throw new Error(`pgbouncer did not come up: ${said} ${await readFile(join(this.#directory, 'log'), 'utf8').catch(() => '')}`);
  }

  /** A command on the console. */
  async ask(command: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      user: 'holdfast',
      password: this.consolePassword,
      database: 'pgbouncer',
      connectionTimeoutMillis: 2_000,
      query_timeout: 5_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(command)).rows;
    } finally {
      void client.end().catch(() => {});
    }
  }

  async isPaused(database: string): Promise<boolean> {
    const rows = await this.ask('SHOW DATABASES');
    return Number(rows.find((row) => row['name'] === database)?.['paused']) === 1;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child!.kill(signal);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
