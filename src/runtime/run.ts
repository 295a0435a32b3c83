import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { constants } from 'node:os';
import { HoldfastError } from '../core/errors.ts';
import type { Processes, RunOptions, RunResult } from '../core/processes.ts';
import { spawnChild, untilStarted } from './child.ts';

const outputBytesMaxDefault = 1024 * 1024;
/** How long after its end we still read what it left in the pipes; a grandchild may hold them open for ever. */
const drainMsMax = 500;

/** In a process group of its own, so that a time limit ends its helpers too. */
export const run: Processes['run'] = async (binary, args, options): Promise<RunResult> => {
  options.signal?.throwIfAborted();
  const child = spawnChild(
    binary,
    args,
    { detached: true, stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] },
    options,
  );
  const stdout = collect(child.stdout!, options.outputBytesMax ?? outputBytesMaxDefault);
  const stderr = collect(child.stderr!, options.outputBytesMax ?? outputBytesMaxDefault);
  const ended = untilEnded(child);
  await untilStarted(child, binary, options);
  // It may end without reading its input.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);
  const code = await withLimits(child, ended, binary, options);
  return { code, stdout: stdout.text(), stderr: stderr.text(), truncated: stdout.truncated() || stderr.truncated() };
};

function untilEnded(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const result = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      const drained = setTimeout(() => {
        child.stdout!.destroy();
        child.stderr!.destroy();
      }, drainMsMax);
      child.once('close', () => {
        clearTimeout(drained);
        resolve(result);
      });
    });
  });
}

async function withLimits(child: ChildProcess, ended: Promise<number>, binary: string, options: RunOptions): Promise<number> {
  const killed = Promise.withResolvers<never>();
  killed.promise.catch(() => {});
  let wasKilled = false;
  const end = (reason: unknown): void => {
    wasKilled = true;
    killed.reject(reason);
    killGroup(child);
  };
  const timer = setTimeout(() => {
    end(
      new HoldfastError('PROCESS_TIMEOUT', `'${binary}' did not end within ${options.timeoutMs} ms and was killed`, {
        retryable: true,
        hint: 'Look at what it waits for: a slow disk, a lock, a peer that does not answer.',
      }),
    );
  }, options.timeoutMs);
  const abort = (): void => end(options.signal!.reason);
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    if (options.signal?.aborted === true) abort();
    const code = await ended;
    // Only now: the caller may rely on it that nothing of it runs any more.
    return wasKilled ? await killed.promise : code;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Only while it is unreaped, when its pid, and so its group's number, can not be anyone else's. */
export function killGroup(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

export function collect(stream: Readable, bytesMax: number): { text(): string; truncated(): boolean } {
  const chunks: Buffer[] = [];
  let kept = 0;
  let truncated = false;
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    const rest = chunk.subarray(0, bytesMax - kept);
    if (rest.length < chunk.length) truncated = true;
    if (rest.length > 0) chunks.push(rest);
    kept += rest.length;
  });
  return { text: () => Buffer.concat(chunks).toString('utf8'), truncated: () => truncated };
}
