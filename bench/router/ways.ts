import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Account } from '../../src/core/processes.ts';
import { missingPrograms } from '../kit/machine.ts';
import type { Server } from './server.ts';

const LISTEN_MS_MAX = 10_000;

export const wayNames = ['direct', 'holdfast', 'haproxy', 'pgbouncer'] as const;
export type WayName = (typeof wayNames)[number];

/** One way from the client to the server. */
export interface Way extends AsyncDisposable {
  readonly name: WayName;
  readonly port: number;
  /** What carries the bytes; undefined: nobody but the system. */
  readonly pid: number | undefined;
}

export interface WayOptions {
  readonly directory: string;
  readonly server: Server;
  readonly account: Account | undefined;
  readonly port: number;
}

/** Of PgBouncer and HAProxy, those that are not installed. */
export function missingWays(names: readonly WayName[]): WayName[] {
  return names.filter((name) => (name === 'haproxy' || name === 'pgbouncer') && missingPrograms([name]).length > 0);
}

export async function openWay(name: WayName, options: WayOptions): Promise<Way> {
  const { server, port } = options;
  switch (name) {
    case 'direct':
      return { name, port: server.port, pid: undefined, [Symbol.asyncDispose]: async () => {} };
    case 'holdfast':
      return await start(name, port, process.execPath, [
        fileURLToPath(new URL('proxy-process.ts', import.meta.url)),
        String(port),
        String(server.port),
      ]);
    case 'haproxy': {
      const file = join(options.directory, 'haproxy.cfg');
      await writeFile(file, haproxyConfiguration(options));
      return await start(name, port, 'haproxy', ['-db', '-f', file]);
    }
    case 'pgbouncer': {
      const file = join(options.directory, 'pgbouncer.ini');
      await writeFile(file, pgbouncerConfiguration(options), { mode: 0o600 });
      if (options.account !== undefined) await chown(file, options.account.uid, options.account.gid);
      return await start(name, port, 'pgbouncer', ['-q', file], options.account);
    }
  }
}

function haproxyConfiguration({ port, server }: WayOptions): string {
  return `defaults
  mode tcp
  timeout connect 4s
  timeout client 30m
  timeout server 30m

listen bench
  bind 127.0.0.1:${port}
  server one 127.0.0.1:${server.port}
`;
}

/** Clients need no password here: what is compared is how rows are carried. Its socket directory is the server's. */
function pgbouncerConfiguration({ port, server, directory }: WayOptions): string {
  return `[databases]
postgres = host=127.0.0.1 port=${server.port} user=postgres password=${server.password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 100
logfile = ${join(directory, 'pgbouncer.log')}
`;
}

async function start(name: WayName, port: number, program: string, args: readonly string[], account?: Account): Promise<Way> {
  // Standard input is what the built-in router lives by.
  const child = spawn(program, args, {
    stdio: ['pipe', 'ignore', 'inherit'],
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  await once(child, 'spawn');
  const way: Way = { name, port, pid: child.pid, [Symbol.asyncDispose]: () => end(child) };
  try {
    await untilListening(name, port, child);
    return way;
  } catch (error) {
    await way[Symbol.asyncDispose]();
    throw error;
  }
}

async function untilListening(name: WayName, port: number, child: ChildProcess): Promise<void> {
  for (const deadlineMs = performance.now() + LISTEN_MS_MAX; performance.now() < deadlineMs && child.exitCode === null; await sleep(50)) {
    const socket = createConnection({ host: '127.0.0.1', port });
    const connected = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
    socket.destroy();
    if (connected) return;
  }
  throw new Error(`${name} did not listen; what it says above tells why`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
