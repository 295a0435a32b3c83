import { request } from 'node:http';
import { connect } from 'node:net';
import { messageOf } from '../../../core/errors.ts';
import type { Account } from '../../../core/processes.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import type { ProcessConfig } from './config.ts';

export type Health = NonNullable<ProcessConfig['health']>;

/** Undefined: well. Otherwise why not, for people. */
export type Verdict = string | undefined;

export interface Surroundings {
  readonly account: Account | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

const outputBytesMax = 4_096;

/** One probe, bounded by `health.timeout`; throws nothing but the signal's reason. */
export async function probe(health: Health, surroundings: Surroundings, runtime: MachineRuntime, signal: AbortSignal): Promise<Verdict> {
  signal.throwIfAborted();
  if (health.command !== undefined) return probeCommand(health.command, health.timeout, surroundings, runtime, signal);
  if (health.tcp !== undefined) return verdictOf(await knock(health.tcp, runtime, { timeoutMs: health.timeout, signal }));
  return probeHttp(health.http!, health.timeout, runtime, signal);
}

/** Whether something takes TCP connections there. It may be the kernel alone: a program that stands still is not told apart. */
export function knock(
  address: { host: string; port: number },
  runtime: MachineRuntime,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<'answers' | 'refused' | 'silent'> {
  return within<'answers' | 'refused' | 'silent'>(runtime, options, 'silent', (resolve) => {
    const socket = connect(address);
    socket.once('connect', () => resolve('answers'));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' ? 'refused' : 'silent'),
    );
    return () => socket.destroy();
  });
}

function verdictOf(answer: 'answers' | 'refused' | 'silent'): Verdict {
  if (answer === 'answers') return undefined;
  return answer === 'refused' ? 'it refuses connections' : 'it takes no connection in time';
}

async function probeCommand(
  command: readonly string[],
  timeoutMs: number,
  { account, cwd, env }: Surroundings,
  runtime: MachineRuntime,
  signal: AbortSignal,
): Promise<Verdict> {
  const [program = '', ...args] = command;
  try {
    const { code, stderr, stdout } = await runtime.processes.run(program, args, {
      cwd,
      env,
      timeoutMs,
      signal,
      outputBytesMax,
      ...(account === undefined ? {} : { account }),
    });
    const said = (stderr.trim() || stdout.trim()).split('\n', 1)[0]!;
    return code === 0 ? undefined : `the health command ended with ${code}${said === '' ? '' : `: ${said.slice(0, 200)}`}`;
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}

function probeHttp(url: string, timeoutMs: number, runtime: MachineRuntime, signal: AbortSignal): Promise<Verdict> {
  return within<Verdict>(runtime, { timeoutMs, signal }, `${url} does not answer in time`, (resolve) => {
    const sent = request(url, { method: 'GET', agent: false, headers: { 'user-agent': 'holdfast' } }, ({ statusCode = 0 }) => {
      resolve(statusCode >= 200 && statusCode < 400 ? undefined : `${url} answers ${statusCode}`);
    });
    sent.once('error', (error) => resolve(`${url}: ${messageOf(error)}`));
    sent.end();
    return () => sent.destroy();
  });
}

/** What `begin` resolves with, or `late` after the time limit; what it returns ends the attempt. */
async function within<T>(
  runtime: MachineRuntime,
  options: { timeoutMs: number; signal?: AbortSignal },
  late: T,
  begin: (resolve: (value: T) => void) => () => unknown,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(options.signal?.reason);
  using _timer = runtime.clock.after(options.timeoutMs, () => resolve(late));
  options.signal?.addEventListener('abort', abort, { once: true });
  const end = begin(resolve);
  try {
    return await promise;
  } finally {
    options.signal?.removeEventListener('abort', abort);
    end();
  }
}
