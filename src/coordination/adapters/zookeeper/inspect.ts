import { type Address, formatAddress } from '../../../core/address.ts';
import { messageOf } from '../../../core/errors.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { ZooKeeperConfig } from './config.ts';
import { Connection, type ConnectOptions } from './connection.ts';
import { type EnsembleOptions, isTooOld } from './ensemble.ts';
import { ZooKeeperFailure } from './failure.ts';
import { askServer, type ServerReport, type ServerRole } from './four-letter.ts';
import { ANY_VERSION, check, closeSession, errorCode, exists, multi } from './protocol.ts';
import { readEnsembleOptions } from './settings.ts';

const LIMIT_MS = 3_000;
/** How often each server is asked what it is. */
const ASKED = 3;
/** Timeouts to ask for that no server grants: the answers are its limits. */
const TIMEOUT_MS_LEAST = 1;
const TIMEOUT_MS_MOST = 2 ** 31 - 1;

export interface InspectedServer {
  /** host:port as configured. */
  readonly server: string;
  /** `unreachable`: nothing answered, or not ZooKeeper; `detail` says why. */
  readonly role: ServerRole | 'unreachable';
  readonly version: string;
  readonly detail: string;
}

export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

export interface StoreInspection {
  readonly servers: readonly InspectedServer[];
  /** Between which the ensemble keeps session timeouts; undefined when it could not be asked. */
  readonly sessionTimeoutMs: { readonly min: number; readonly max: number } | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Looks at an ensemble as an operator would, and changes nothing in it.
 * @param options.ttlMs the TTL that sessions will ask for
 * @throws the signal's reason
 */
export async function inspectStore(
  config: ZooKeeperConfig,
  runtime: Runtime,
  options: { ttlMs: number; signal: AbortSignal },
): Promise<StoreInspection> {
  let ensemble: EnsembleOptions;
  try {
    ensemble = await readEnsembleOptions(config, options.signal);
  } catch (error) {
    options.signal.throwIfAborted();
    return { servers: [], sessionTimeoutMs: undefined, findings: [problem(messageOf(error), (error as { hint?: string }).hint ?? '')] };
  }
  const probe = { clock: runtime.clock, tls: ensemble.tls, limitMs: LIMIT_MS, signal: options.signal };
  const servers = await Promise.all(config.servers.map((address) => inspectServer(address, probe)));
  options.signal.throwIfAborted();
  const serving = config.servers.find((_, n) => !['unreachable', 'idle', 'read-only'].includes(servers[n]!.role));
  const findings = [...servers.flatMap(judgeServer), ...judgeEnsemble(servers)];
  let sessionTimeoutMs: StoreInspection['sessionTimeoutMs'];
  if (serving !== undefined) {
    const connect = {
      ...probe,
      digest: ensemble.digest,
      session: undefined,
      lastZxid: 0n,
      replyLimitMs: LIMIT_MS,
      seen: { zxid: 0n },
      onEvent: () => {},
    };
    try {
      sessionTimeoutMs = await readTimeouts(serving, connect);
      findings.push(...judgeTimeouts(sessionTimeoutMs, options.ttlMs), await judgePrefix(serving, connect, config.prefix));
    } catch (error) {
      options.signal.throwIfAborted();
      findings.push(problem(messageOf(error), error instanceof ZooKeeperFailure ? error.hint : ''));
    }
  }
  return { servers, sessionTimeoutMs, findings };
}

async function inspectServer(address: Address, options: Parameters<typeof askServer>[1]): Promise<InspectedServer> {
  const server = formatAddress(address);
  try {
    // One after the other: a load balancer sends each somewhere else.
    const reports: ServerReport[] = [];
    for (let n = 0; n < ASKED; n++) reports.push(await askServer(address, options));
    const { role, version } = reports[0]!;
    const others = reports.filter((report) => report.role !== role);
    return {
      server,
      role,
      version,
      detail: others.length === 0 ? '' : `it also says to be ${others.map((report) => report.role).join(', ')}`,
    };
  } catch (error) {
    return {
      server,
      role: 'unreachable',
      version: '',
      detail: error instanceof ZooKeeperFailure && error.hint !== '' ? `${error.message}. ${error.hint}` : messageOf(error),
    };
  }
}

function judgeServer({ server, role, version, detail }: InspectedServer): Finding[] {
  if (role === 'unreachable') return [problem(`${server} can not be asked: ${detail}`, '')];
  if (role === 'idle')
    return [
      problem(
        `${server} runs, but serves no clients: it has no quorum`,
        'Start the other servers of the ensemble, and check that they reach each other.',
      ),
    ];
  if (role === 'read-only')
    return [
      problem(
        `${server} is in read-only mode: it has no quorum`,
        'Start the other servers of the ensemble, and check that they reach each other.',
      ),
    ];
  if (detail !== '') {
    return [
      problem(
        `behind ${server} are several servers: ${role}, and ${detail}`,
        'List the servers themselves, not a load balancer: Holdfast goes to the leader, and to another server when one fails.',
      ),
    ];
  }
  if (isTooOld(version)) return [problem(`${server} is ZooKeeper ${version}`, 'Holdfast needs ZooKeeper 3.6 or newer.')];
  if (role === 'unknown') {
    return [
      warning(
        `${server} does not say what it is`,
        'Allow its word srvr (4lw.commands.whitelist), as ZooKeeper does by default: then sessions go to the leader, and their renewals count at once.',
      ),
    ];
  }
  return [{ level: 'ok', message: `${server} is ZooKeeper ${version}, ${role}`, hint: '' }];
}

function judgeEnsemble(servers: readonly InspectedServer[]): Finding[] {
  const roles = new Set(servers.map(({ role }) => role));
  if (roles.has('standalone')) {
    const one = warning(
      'the ensemble has one server: while it is down, nothing can be acquired or renewed',
      'Run three servers, on machines that fail independently.',
    );
    return servers.length === 1
      ? [one]
      : [one, problem('a standalone server is listed beside others: these are different stores', 'List the servers of one ensemble only.')];
  }
  if (servers.length === 1 && (roles.has('leader') || roles.has('follower'))) {
    return [
      warning(
        'only one server of the ensemble is listed: Holdfast can not go to another when it stops',
        'List all servers of the ensemble.',
      ),
    ];
  }
  if (servers.filter(({ role }) => role === 'leader').length > 1)
    return [problem('several servers say that they lead: these are different ensembles', 'List the servers of one ensemble only.')];
  if (roles.has('follower') && !roles.has('leader')) {
    return [
      warning(
        'the leader is not among the servers that answered',
        'List all servers of the ensemble, and let its leader serve clients (leaderServes), so that sessions can be renewed there.',
      ),
    ];
  }
  return [];
}

async function readTimeouts(address: Address, options: Omit<ConnectOptions, 'ttlMs'>): Promise<{ min: number; max: number }> {
  const granted = await Promise.all(
    [TIMEOUT_MS_LEAST, TIMEOUT_MS_MOST].map((ttlMs) =>
      withConnection(address, { ...options, ttlMs }, async (connection) => connection.ttlMs),
    ),
  );
  return { min: granted[0]!, max: granted[1]! };
}

function judgeTimeouts({ min, max }: { min: number; max: number }, ttlMs: number): Finding[] {
  const limits = `the ensemble keeps session timeouts between ${min} and ${max} ms`;
  if (ttlMs < min)
    return [
      warning(
        `${limits}: a TTL of ${ttlMs} ms becomes ${min} ms, and take-over after a death as much slower`,
        'Lower tickTime or minSessionTimeout of ZooKeeper, or set a longer TTL.',
      ),
    ];
  if (ttlMs > max)
    return [warning(`${limits}: a TTL of ${ttlMs} ms becomes ${max} ms`, 'Raise maxSessionTimeout of ZooKeeper, or set a shorter TTL.')];
  return [{ level: 'ok', message: `${limits}; a TTL of ${ttlMs} ms is kept`, hint: '' }];
}

function judgePrefix(address: Address, options: Omit<ConnectOptions, 'ttlMs'>, prefix: string): Promise<Finding> {
  return withConnection(address, { ...options, ttlMs: LIMIT_MS }, async (connection) => {
    const there = await connection.submit(exists(prefix));
    if (!there.ok) return { level: 'ok', message: `${prefix} is not there yet and will be created`, hint: '' };
    const outcome = await connection.submit(multi([check(prefix, ANY_VERSION)]));
    const denied = outcome.ok && !outcome.value.done && outcome.value.code === errorCode.noAuth;
    if (denied)
      return problem(
        `${prefix} belongs to somebody else`,
        'Set auth in the coordination settings to the user that owns it, or use another prefix.',
      );
    return { level: 'ok', message: `${prefix} is there and can be used`, hint: '' };
  });
}

async function withConnection<T>(address: Address, options: ConnectOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.open(address, options);
  try {
    const result = await work(connection);
    await connection.submit(closeSession);
    return result;
  } finally {
    connection.destroy(new ZooKeeperFailure('away', 'the inspection is over'));
  }
}

function problem(message: string, hint: string): Finding {
  return { level: 'problem', message, hint };
}

function warning(message: string, hint: string): Finding {
  return { level: 'warning', message, hint };
}
