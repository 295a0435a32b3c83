import { execFile } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestCluster, type TestMember } from '../../test/scenario/postgres/harness.ts';
import type { ServerPlace } from './order.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
/** Rows of pgbench_accounts for each unit of scale. */
const accountsPerScale = 100_000;
const initMsMax = 600_000;

/** A pgbench database of a scale, of which nothing changes but what is asked for. */
export class BenchCluster implements AsyncDisposable {
  readonly member: TestMember;
  readonly bin: string | undefined;
  readonly #cluster: TestCluster;
  readonly #scale: number;

  private constructor(cluster: TestCluster, member: TestMember, scale: number, bin: string | undefined) {
    this.#cluster = cluster;
    this.member = member;
    this.#scale = scale;
    this.bin = bin;
  }

  /** @param bin the server's programs; the embedded ones when absent */
  static async make(
    scale: number,
    { bin, pgbench, summaries }: { bin?: string; pgbench: string; summaries: boolean },
  ): Promise<BenchCluster> {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await TestCluster.open(bin));
    const parameters = {
      autovacuum: false,
      shared_buffers: '256MB',
      max_wal_size: '8GB',
      checkpoint_timeout: '1h',
      ...(summaries ? { summarize_wal: true } : {}),
    };
    const member = await cluster.member('a', { parameters });
    await member.engine.bootstrap({ signal });
    await member.engine.startPrimary({ acknowledge: null, signal });
    const made = new BenchCluster(cluster, member, scale, bin);
    const env = { ...process.env, PGPASSWORD: await made.password() };
    const args = ['-h', '127.0.0.1', '-p', String(member.address.port), '-U', 'postgres', '-i', '-q', '-I', 'dtGvp', '-s', String(scale)];
    await run(pgbench, [...args, 'postgres'], { env, timeout: initMsMax });
    await made.settle();
    stack.move();
    return made;
  }

  get directory(): string {
    return this.#cluster.directory;
  }

  get place(): ServerPlace {
    return { data: this.member.data, stateDir: this.member.stateDir, port: this.member.address.port, bin: this.bin };
  }

  async password(): Promise<string> {
    return (await this.member.engine.credentials())!['superuser']!;
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    const client = await this.member.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async sizeBytes(): Promise<number> {
    return Number((await this.query('select sum(pg_database_size(oid)) as bytes from pg_database'))[0]!['bytes']);
  }

  /** Changes this share of the accounts: `together`, as if they were the newest, or every so many of them, all over the table. */
  async change(share: number, where: 'together' | 'spread'): Promise<void> {
    const rows = this.#scale * accountsPerScale;
    const chosen = where === 'together' ? `aid <= ${Math.round(rows * share)}` : `aid % ${Math.round(1 / share)} = 0`;
    if (share > 0) await this.query(`update pgbench_accounts set abalance = abalance + 1 where ${chosen}`);
    await this.settle();
  }

  /** All is on the disk. */
  async settle(): Promise<void> {
    await this.query('checkpoint');
    await run('sync');
  }

  /** An empty directory of its own, which servers' accounts reach. */
  async folder(name: string): Promise<string> {
    const path = join(this.directory, name);
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster[Symbol.asyncDispose]();
  }
}
