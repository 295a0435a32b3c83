import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../../src/core/clock.ts';
import { freePorts, ServerProcess } from '../servers/server-process.ts';

const run = promisify(execFile);
const programs = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'ceph', 'ceph-authtool', 'monmaptool'];
const startMsMax = 60_000;
const commandMsMax = 60_000;

/** What is missing for an S3 server on this machine; undefined when nothing is. With HOLDFAST_REQUIRE=all what is missing is an error. */
export function whyNoRadosgw(): string | undefined {
  const absent = programs.filter((program) => !existsSync(join('/usr/bin', program)));
  const why = process.platform !== 'linux' ? 'needs Linux' : absent.length > 0 ? `needs ${absent.join(', ')}` : undefined;
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`radosgw: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

export interface S3User {
  readonly id: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A real S3 server: Ceph's gateway on a cluster of one monitor and one OSD that keeps all in memory. */
export class Radosgw implements AsyncDisposable {
  readonly #directory: string;
  readonly #conf: string;
  readonly #servers: readonly ServerProcess[];
  readonly port: number;

  private constructor(directory: string, port: number, servers: readonly ServerProcess[]) {
    this.#directory = directory;
    this.#conf = join(directory, 'ceph.conf');
    this.port = port;
    this.#servers = servers;
  }

  static async start(clock: Clock): Promise<Radosgw> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-radosgw-'));
    const [monitorPort, port] = (await freePorts(2)) as [number, number];
    const server = (program: string, ...args: string[]): ServerProcess =>
      new ServerProcess(
        { program, args: ['-f', '-c', join(directory, 'ceph.conf'), ...args], logFile: join(directory, `${program}.out`) },
        clock,
      );
    const [monitor, osd, gateway] = [server('ceph-mon', '-i', 'a'), server('ceph-osd', '-i', '0'), server('radosgw', '-n', 'client.admin')];
    const started = new Radosgw(directory, port, [gateway, osd, monitor]);
    try {
      await writeFile(started.#conf, configuration(directory, monitorPort, port));
      await started.#prepare(monitorPort);
      monitor.start();
      await started.#ceph('osd', 'create');
      await run('ceph-osd', ['-c', started.#conf, '-i', '0', '--mkfs'], { timeout: commandMsMax });
      await started.#ceph('osd', 'crush', 'add', '0', '1.0', 'root=default', 'host=localhost');
      osd.start();
      gateway.start();
      await answers(port, clock);
      return started;
    } catch (error) {
      const logs = await Promise.all(started.#servers.map((one) => one.log()));
      await started[Symbol.asyncDispose]();
      throw new Error(`radosgw did not start:\n${logs.join('\n').slice(-4000)}`, { cause: error });
    }
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @param args of radosgw-admin user create */
  async addUser(id: string, ...args: readonly string[]): Promise<S3User> {
    const user = { id, accessKey: `${id}-access`, secretKey: `${id}-secret` };
    await this.admin(
      'user',
      'create',
      `--uid=${id}`,
      `--display-name=${id}`,
      `--access-key=${user.accessKey}`,
      `--secret-key=${user.secretKey}`,
      ...args,
    );
    return user;
  }

  async admin(...args: readonly string[]): Promise<string> {
    return (await run('radosgw-admin', ['-c', this.#conf, ...args], { timeout: commandMsMax })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #prepare(monitorPort: number): Promise<void> {
    const at = (name: string): string => join(this.#directory, name);
    for (const name of ['mon', 'osd', 'run']) await mkdir(at(name));
    const options = { timeout: commandMsMax };
    const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
    await run('ceph-authtool', ['--create-keyring', at('keyring'), '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *'], options);
    await run('ceph-authtool', [at('keyring'), '--gen-key', '-n', 'client.admin', ...all], options);
    await run(
      'ceph-authtool',
      [at('keyring'), '--gen-key', '-n', 'osd.0', '--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *'],
      options,
    );
    await run('monmaptool', ['--create', '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, at('monmap')], options);
    await run('ceph-mon', ['--mkfs', '-i', 'a', '-c', this.#conf, '--monmap', at('monmap'), '--keyring', at('keyring')], options);
  }

  async #ceph(...args: readonly string[]): Promise<void> {
    await run('ceph', ['-c', this.#conf, '--connect-timeout', '20', ...args], { timeout: commandMsMax });
  }
}

async function answers(port: number, clock: Clock): Promise<void> {
  for (const untilMs = clock.monotonicMs() + startMsMax; clock.monotonicMs() < untilMs; await clock.sleep(50)) {
    const answered = await new Promise<boolean>((resolve) => {
      get({ host: '127.0.0.1', port, timeout: 1000 }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
        .on('error', () => resolve(false))
        .on('timeout', () => resolve(false));
    });
    if (answered) return;
  }
  throw new Error(`nothing answers on port ${port}`);
}

/** One of each, one copy of everything, all on loopback; nothing of it outlives the test. */
function configuration(directory: string, monitorPort: number, port: number): string {
  return `[global]
fsid = ${randomUUID()}
mon initial members = a
mon host = [v2:127.0.0.1:${monitorPort}]
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${directory}/keyring
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
paxos propose interval = 0.05
paxos min wait = 0.01
mon data avail crit = 1
mon data avail warn = 2
mon data = ${directory}/mon
osd data = ${directory}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
run dir = ${directory}/run
admin socket = ${directory}/run/$name.asok
log file = ${directory}/$name.log
log to stderr = false
ms bind ipv6 = false
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw dns name = localhost
rgw thread pool size = 64
rgw enable usage log = false
rgw user quota bucket sync interval = 1
rgw bucket quota ttl = 0
`;
}
