import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../src/core/clock.ts';
import type { TestCertificates } from './certificates.ts';
import { CutProxy } from './cut-proxy.ts';
import { freePorts, LOOPBACK, type ServerPlace } from './server-process.ts';

export const JAR = '/usr/share/java/zookeeper.jar';
/** What Debian's jar does not name itself: a log, and what TLS needs. */
const FURTHER_JARS = ['slf4j-simple', 'netty-codec', 'netty-resolver'].map((name) => `/usr/share/java/${name}.jar`);

export interface ZooKeeperOptions {
  /** Default 1: standalone. */
  readonly servers?: 1 | 3;
  /** Default 500. Sessions last at least two ticks. */
  readonly tickMs?: number;
  /** Ticks that a follower may be behind or silent before it is dropped, and after which it drops a silent leader. Default 3. */
  readonly syncLimit?: number;
  /** A second client port of each server, where clients need a certificate of the ensemble's CA. */
  readonly tls?: boolean;
  /** Whether the leader serves clients. Default true. */
  readonly leaderServes?: boolean;
  /** With three servers: the third, which does not lead at first, reaches the others through relays (`thirdLinks`). */
  readonly thirdApart?: boolean;
  /** How often empty containers are looked for and removed. Default: ZooKeeper's, a minute. */
  readonly containerCheckMs?: number;
  /** Where each server runs. Default: on loopback. */
  readonly places?: readonly ServerPlace[];
  /** Further lines of zoo.cfg. */
  readonly extra?: readonly string[];
}

/** What one server needs to start. */
export interface ServerFiles {
  readonly home: string;
  readonly clientPort: number;
  /** With `tls` only. */
  readonly securePort: number | undefined;
  /** All that it listens on. */
  readonly ports: readonly number[];
  readonly place: ServerPlace;
  /** Arguments of java. */
  readonly args: readonly string[];
}

interface Ports {
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
  readonly secure: number;
}

/** Writes each server's configuration below `directory`. */
export async function writeServerFiles(
  directory: string,
  clock: Clock,
  options: ZooKeeperOptions,
  certificates: TestCertificates | undefined,
): Promise<{ servers: ServerFiles[]; thirdLinks: CutProxy[] }> {
  const count = options.servers ?? 1;
  const free = await freePorts(count * 4);
  const all = Array.from({ length: count }, (_, n): Ports => ({
    client: free[4 * n]!,
    quorum: free[4 * n + 1]!,
    election: free[4 * n + 2]!,
    secure: free[4 * n + 3]!,
  }));
  const places = all.map((_, n) => options.places?.[n] ?? LOOPBACK);
  const thirdLinks: CutProxy[] = [];
  const relay = async (port: number): Promise<number> => {
    const link = await CutProxy.open({ port }, clock);
    thirdLinks.push(link);
    return link.port;
  };
  const thirdsView =
    options.thirdApart === true
      ? await Promise.all(
          all.map(async (ports, n) =>
            n === 2 ? ports : { ...ports, quorum: await relay(ports.quorum), election: await relay(ports.election) },
          ),
        )
      : all;
  const servers = all.map(async (own, n): Promise<ServerFiles> => {
    const home = join(directory, String(n + 1));
    await mkdir(home);
    await writeFile(join(home, 'myid'), `${n + 1}\n`);
    const view = n === 2 ? thirdsView : all;
    const members = view.map(({ client, quorum, election }, m) => {
      const { address } = places[m]!;
      return `server.${m + 1}=${address}:${quorum}:${election};${address}:${client}`;
    });
    const place = places[n]!;
    const where =
      count === 1 ? [`clientPort=${own.client}`, `clientPortAddress=${place.address}`] : ['standaloneEnabled=false', ...members];
    const tls = certificates === undefined ? [] : await tlsLines(home, own.secure, certificates);
    await writeFile(join(home, 'zoo.cfg'), [...commonLines(home, options), ...where, ...tls, ...(options.extra ?? [])].join('\n'));
    const ports = [own.client, own.quorum, own.election];
    return {
      home,
      clientPort: own.client,
      securePort: certificates && own.secure,
      ports,
      place,
      args: javaArgs(options, join(home, 'zoo.cfg')),
    };
  });
  return { servers: await Promise.all(servers), thirdLinks };
}

function commonLines(home: string, options: ZooKeeperOptions): string[] {
  return [
    `tickTime=${options.tickMs ?? 500}`,
    'initLimit=20',
    `syncLimit=${options.syncLimit ?? 3}`,
    `dataDir=${home}`,
    'maxSessionTimeout=60000',
    // All of a test's clients come from one address.
    'maxClientCnxns=0',
    'admin.enableServer=false',
    `leaderServes=${options.leaderServes === false ? 'no' : 'yes'}`,
  ];
}

/** Netty is the only server side of ZooKeeper that speaks TLS. */
async function tlsLines(home: string, port: number, { ca, server }: TestCertificates): Promise<string[]> {
  const keyStore = join(home, 'key-store.pem');
  await writeFile(keyStore, (await readFile(server.key, 'utf8')) + (await readFile(server.cert, 'utf8')));
  return [
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    `secureClientPort=${port}`,
    'secureClientPortAddress=127.0.0.1',
    `ssl.keyStore.location=${keyStore}`,
    'ssl.keyStore.type=PEM',
    `ssl.trustStore.location=${ca}`,
    'ssl.trustStore.type=PEM',
    'ssl.hostnameVerification=false',
  ];
}

function javaArgs(options: ZooKeeperOptions, configFile: string): string[] {
  // Small and quick to start; 1 MB of log file allocated at a time instead of 64.
  const jvm = [
    '-Xmx96m',
    '-Xss256k',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.net.preferIPv4Stack=true',
    '-Dzookeeper.preAllocSize=1024',
    '-Dzookeeper.cnxTimeout=1000',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
  ];
  if (options.containerCheckMs !== undefined) jvm.push(`-Dznode.container.checkIntervalMs=${options.containerCheckMs}`);
  return [...jvm, '-cp', [JAR, ...FURTHER_JARS].join(':'), 'org.apache.zookeeper.server.quorum.QuorumPeerMain', configFile];
}
