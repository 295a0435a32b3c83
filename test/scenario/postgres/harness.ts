import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { MachineRuntime } from '../../../src/core/runtime.ts';
import { openBinaries } from '../../../src/engine/adapters/postgres/binaries.ts';
import { configSchema, open } from '../../../src/engine/adapters/postgres/index.ts';
import type { Engine, EngineContext, MemberAddress } from '../../../src/engine/engine.ts';
import { createRuntime } from '../../../src/runtime/index.ts';
import { freePorts } from '../servers/server-process.ts';
import { account } from './account.ts';
import { templatesVariable, withCopyingInitdb } from './copying-initdb.ts';

/** The versions that can run here: the embedded one always, others where they are installed. */
export const versions: readonly { name: string; bin?: string }[] = [
  { name: 'embedded' },
  ...[14, 15, 16, 17, 18]
    .map((major) => ({ name: `system ${major}`, bin: `/usr/lib/postgresql/${major}/bin` }))
    .filter(({ bin }) => existsSync(bin)),
];

export interface TestMember extends AsyncDisposable {
  readonly engine: Engine;
  readonly address: MemberAddress;
  readonly data: string;
  readonly stateDir: string;
  /** A further engine object on the same member, as a restarted agent would open. */
  reopen(): Promise<Engine>;
  /** A connection as the service's superuser, over TCP like any client. */
  connect(options?: { applicationName?: string; database?: string }): Promise<Client>;
}

/** A directory with members of one service, all on this machine; everything is ended and removed when it is disposed of. */
export class TestCluster implements AsyncDisposable {
  readonly directory: string;
  readonly runtime: MachineRuntime & AsyncDisposable;
  readonly #bin: string | undefined;
  readonly #members: TestMember[] = [];

  private constructor(directory: string, bin: string | undefined, runtime: MachineRuntime & AsyncDisposable) {
    this.directory = directory;
    this.#bin = bin;
    this.runtime = runtime;
  }

  /** @param options `initdb: 'run'`: where that it runs is part of what is tried; else the first database is copied from another test's, if there was one */
  static async open(bin?: string, { initdb = 'copied' }: { readonly initdb?: 'copied' | 'run' } = {}): Promise<TestCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-pg-'));
    await chmod(directory, 0o755);
    const runtime = createRuntime({ log: { level: 'error' } });
    const templates = process.env[templatesVariable];
    if (initdb === 'run' || templates === undefined) return new TestCluster(directory, bin, runtime);
    const programs = join(directory, 'programs');
    await withCopyingInitdb((await openBinaries(bin, account, runtime.processes)).directory, programs, templates);
    await giveToAccount(programs);
    return new TestCluster(directory, programs, runtime);
  }

  async member(node: string, more: Record<string, unknown> = {}, context: Partial<EngineContext> = {}): Promise<TestMember> {
    const base = join(this.directory, node);
    const stateDir = join(base, 'state');
    await mkdir(stateDir, { recursive: true, mode: 0o711 });
    await chmod(base, 0o755);
    if (account === undefined) await chmod(stateDir, 0o700);
    const data = join(base, 'data');
    const [port] = (await freePorts(1)) as [number];
    const parameters = { shared_buffers: '16MB', ...(more['parameters'] as object | undefined) };
    const config = configSchema.parse({
      data,
      listen: `127.0.0.1:${port}`,
      ...(this.#bin === undefined ? {} : { bin: this.#bin }),
      ...more,
      parameters,
    });
    const reopen = () => open(config, { cluster: 'test', service: 'orders', node, stateDir, account, ...context }, this.runtime);
    const engine = await reopen();
    const connect = async ({ applicationName = 'client', database = 'postgres' } = {}): Promise<Client> => {
      const password = (await engine.credentials())?.['superuser'] ?? '';
      const client = new Client({ host: '127.0.0.1', port, user: 'postgres', password, database, application_name: applicationName });
      client.on('error', () => {});
      await client.connect();
      return client;
    };
    const member: TestMember = {
      engine,
      address: engine.address,
      data,
      stateDir,
      reopen,
      connect,
      [Symbol.asyncDispose]: async () => {
        await engine.stop('immediate', { timeoutMs: 0 });
        await engine[Symbol.asyncDispose]();
      },
    };
    this.#members.push(member);
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member[Symbol.asyncDispose]()));
    await rm(this.directory, { recursive: true, force: true });
    await this.runtime[Symbol.asyncDispose]();
  }
}

/** Bootstraps a primary and makes the others its replicas, with slots everywhere. */
export async function replicate(primary: TestMember, replicas: readonly TestMember[], signal: AbortSignal): Promise<void> {
  await primary.engine.bootstrap({ signal });
  await primary.engine.startPrimary({ acknowledge: null, signal });
  const credentials = await primary.engine.credentials();
  await Promise.all(
    replicas.map(async ({ engine }) => {
      await engine.acceptCredentials(credentials!);
      await engine.provision(primary.address, { signal });
      await engine.follow(primary.address, { signal });
    }),
  );
}

/** Repeats until `check` gives something, at most for a minute: of a loaded machine ten seconds can be too much to ask. */
export async function eventually<T>(runtime: MachineRuntime, what: string, check: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = runtime.clock.monotonicMs() + 60_000;
  let last: unknown;
  while (runtime.clock.monotonicMs() < deadline) {
    const value = await check().catch((error: unknown) => {
      last = error;
      return undefined;
    });
    if (value !== undefined && value !== false) return value;
    await runtime.clock.sleep(20);
  }
  throw new Error(`${what} did not come true within a minute`, { cause: last });
}

/** Gives a path to the account that the servers run as. */
export async function giveToAccount(path: string): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}
