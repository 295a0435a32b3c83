import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { MachineRuntime } from '../../../src/core/runtime.ts';
import { Agents, query } from '../agents.ts';
import { killProcessesOf } from '../demo-process.ts';
import { startRestored } from './restored.ts';

const program = new URL('../../../bin/holdfast.mjs', import.meta.url).pathname;
const startedMsMax = 60_000;

/** Three members with a journal and a base backup in one directory, which outlives all of them. */
export class JournalledCluster implements AsyncDisposable {
  readonly agents: Agents;
  readonly disk: string;
  readonly #directory: string;
  readonly #runtime: MachineRuntime;

  private constructor(agents: Agents, disk: string, directory: string, runtime: MachineRuntime) {
    this.agents = agents;
    this.disk = disk;
    this.#directory = directory;
    this.#runtime = runtime;
  }

  /** @param journal as it is written under a service's `backup` */
  static async start(directory: string, journal: unknown, runtime: MachineRuntime): Promise<JournalledCluster> {
    const disk = join(directory, 'disk');
    await mkdir(disk, { recursive: true });
    const password = join(directory, 'copies.password');
    await writeFile(password, randomBytes(24).toString('base64'), { mode: 0o600 });
    const agents = await Agents.start({
      directory: join(directory, 'cluster'),
      configure: (config) => {
        if (config.services['orders']!['postgres'] === undefined) return;
        config.services['orders']!['backup'] = { to: 'disk', schedule: '0 3 * * *', journal };
        config['locations'] = { disk: { path: disk, password: `file:${password}` } };
      },
    });
    const cluster = new JournalledCluster(agents, disk, directory, runtime);
    try {
      await agents.whole();
      await query(agents.write, 'create table held (id bigint primary key)');
      await cluster.#untilBase();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #untilBase(): Promise<void> {
    for (const end = performance.now() + startedMsMax; performance.now() < end; await sleep(100))
      if ((await readdir(join(this.disk, 'snapshots')).catch(() => [])).length > 0) return;
    throw new Error(`no base backup in time\n${await this.agents.logs()}`);
  }

  /** Rows on several connections at once, straight to the leader. */
  async load(first: number): Promise<AckedLoad> {
    const { leader } = await this.agents.whole();
    return new AckedLoad(this.agents.connection(leader!), first);
  }

  /** SIGKILL to every process of every node. */
  async kill(): Promise<void> {
    await killProcessesOf(this.#directory);
  }

  restart(): void {
    for (const { name } of this.agents.layout.nodes) this.agents.startAgent(name);
  }

  /** What `holdfast restore` brings back from the location alone. */
  async restoredRows(): Promise<Set<number>> {
    const target = join(this.#directory, 'restored');
    const args = [program, 'restore', 'orders', '--config', this.agents.members[0]!.configFile, '--target', target, '--json'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`holdfast restore ended with ${code}: ${said}`);
    try {
      await using restored = await startRestored(target, this.agents.layout.password, this.#runtime);
      const { rows } = await restored.client.query<{ id: string }>('select id from held');
      return new Set(rows.map(({ id }) => Number(id)));
    } finally {
      await rm(target, { recursive: true, force: true });
    }
  }

  /** Nothing of it is ended gently. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.agents.abandon();
  }
}

const writers = 6;
const ackedMsMax = 60_000;

/** Writes rows until the connections break, and remembers when each was acknowledged, by `performance.now()`. */
export class AckedLoad {
  readonly acked = new Map<number, number>();
  readonly done: Promise<unknown>;

  constructor(connection: string, first: number) {
    this.done = Promise.allSettled(Array.from({ length: writers }, (_, writer) => this.#write(connection, first + writer * 1_000_000)));
  }

  async #write(connection: string, first: number): Promise<void> {
    const client = new pg.Client({ connectionString: connection, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    await client.connect();
    for (let id = first; ; id++) {
      await client.query('insert into held values ($1)', [id]);
      this.acked.set(id, performance.now());
    }
  }

  /** Until a row is acknowledged at or after that time. */
  async untilAcked(sinceMs = 0): Promise<void> {
    for (const end = performance.now() + ackedMsMax; performance.now() < end; await sleep(20)) if (this.since(sinceMs) > 0) return;
    throw new Error('no row was acknowledged in time');
  }

  since(ms: number): number {
    return [...this.acked.values()].filter((at) => at >= ms).length;
  }
}
