import type { ChildProcess } from 'node:child_process';
import { HoldfastError } from '../core/errors.ts';
import type { RunOptions } from '../core/processes.ts';
import { spawnChild, untilStarted } from './child.ts';
import { collect, killGroup } from './run.ts';

/** Of what it says on standard error, as much is told when it fails. */
const complaintBytesMax = 4_096;

/**
 * The standard output of a program as it comes, however much: no more is read than is taken. It ends well only when the program does.
 * @throws PROCESS_NOT_STARTED, PROCESS_FAILED with what it said, PROCESS_TIMEOUT (killed by then), the signal's reason
 */
export async function* streamOutput(
  binary: string,
  args: readonly string[],
  options: Pick<RunOptions, 'account' | 'cwd' | 'env' | 'timeoutMs' | 'signal'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  options.signal?.throwIfAborted();
  // In a process group of its own, so that a time limit ends its helpers too.
  const child = spawnChild(binary, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] }, options);
  const closed = untilClosed(child);
  const complaint = collect(child.stderr!, complaintBytesMax);
  await untilStarted(child, binary, options);
  const end = (reason: Error): void => {
    killGroup(child);
    child.stdout!.destroy(reason);
  };
  const timer = setTimeout(() => end(late(binary, options.timeoutMs)), options.timeoutMs);
  const abort = (): void => end(options.signal!.reason as Error);
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    if (options.signal?.aborted === true) abort();
    for await (const chunk of child.stdout!) yield chunk as Uint8Array;
    const code = await closed;
    if (code !== 0) throw failed(binary, code, complaint.text());
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
    // Whoever takes no more lets it go.
    killGroup(child);
    child.stderr!.destroy();
    await closed;
  }
}

/** Exit code, or how it was ended. */
function untilClosed(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'an unknown end'));
    child.once('error', () => resolve('not started'));
  });
}

function late(binary: string, timeoutMs: number): HoldfastError {
  return new HoldfastError('PROCESS_TIMEOUT', `'${binary}' did not end within ${timeoutMs} ms and was killed`, {
    retryable: true,
    hint: 'Look at what it waits for: a slow disk, a lock, a peer that does not answer.',
  });
}

function failed(binary: string, code: number | string, said: string): HoldfastError {
  const words = said.trim();
  return new HoldfastError('PROCESS_FAILED', `'${binary}' ended with ${code}${words === '' ? '' : `: ${words}`}`, {
    hint: 'Run it by hand, as the same user, to see why.',
  });
}
