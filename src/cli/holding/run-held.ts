import { hostname } from 'node:os';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { MachineRuntime, Runtime } from '../../core/runtime.ts';
import { abortable } from '../../core/abortable.ts';
import type { AcquireOptions, Hold } from '../../coordination/hold.ts';
import { anySignal, limitAfter } from '../../coordination/patience.ts';
import type { CoordinationStore } from '../../coordination/store.ts';
import { createRuntime } from '../../runtime/index.ts';
import { openNamedStore } from './open-store.ts';
import { exitCodeLost, graceOf, type HoldingOptions } from './options.ts';
import { type Ending, runWhileHolding } from './run-while-holding.ts';
import { exitCodeOf, Interrupted, Signals } from './signals.ts';

/** A command that ends sooner than this after its start is not started again at once: twice as late each time. */
const briefMs = 1_000;
const pauseMsMax = 30_000;
/** How long the store may take to hear of the release; the hold ends with its TTL otherwise. */
const releaseMsMax = 2_000;

type Acquire = (store: CoordinationStore, runtime: Runtime, options: AcquireOptions) => Promise<Hold>;

/**
 * Acquires, runs the command while holding, releases; returns the exit code.
 * @param again whether to acquire anew when that is over: never, only when the hold was lost, or always (until a signal ends it)
 * @throws CLI_USAGE, COORD_LOCK_TIMEOUT, COORD_DENIED, COORD_UNSUITABLE
 */
export async function runHeld(
  options: HoldingOptions,
  command: readonly string[],
  acquire: Acquire,
  again: 'never' | 'when-lost' | 'always' = 'never',
): Promise<number> {
  const graceMs = graceOf(options);
  using signals = new Signals();
  await using runtime = createRuntime({ log: { level: 'error' } });
  try {
    await using store = await openInTime(options, runtime, signals.interrupted);
    for (let pauseMs = 0; ;) {
      const beganMs = runtime.clock.monotonicMs();
      const ending = await runOnce(store, options, command, acquire, { runtime, signals, graceMs });
      const finished = again === 'never' || (again === 'when-lost' && !ending.lost) || signals.interrupted.aborted;
      if (finished) return ending.lost ? exitCodeLost : ending.code;
      pauseMs = runtime.clock.monotonicMs() - beganMs > briefMs ? 0 : Math.min(pauseMsMax, Math.max(briefMs, pauseMs * 2));
      await runtime.clock.sleep(pauseMs, signals.interrupted);
    }
  } catch (error) {
    if (error instanceof Interrupted) return exitCodeOf(error.signal);
    throw asUsage(error);
  }
}

async function openInTime(options: HoldingOptions, runtime: Runtime, interrupted: AbortSignal): Promise<CoordinationStore> {
  using limit = limitAfter(
    runtime.clock,
    options.wait === undefined ? undefined : Math.max(options.wait, releaseMsMax),
    () =>
      new HoldfastError('COORD_LOCK_TIMEOUT', 'the coordination store could not be reached in time', {
        retryable: true,
        hint: 'Check that it runs, and its address.',
      }),
  );
  return await openNamedStore(options, runtime, anySignal(interrupted, limit.signal));
}

async function runOnce(
  store: CoordinationStore,
  options: HoldingOptions,
  command: readonly string[],
  acquire: Acquire,
  { runtime, signals, graceMs }: { runtime: MachineRuntime; signals: Signals; graceMs: number },
): Promise<Ending> {
  const { clock, processes } = runtime;
  const hold = await acquire(store, runtime, {
    ttlMs: options.ttl,
    holder: `${hostname()} ${process.pid}`,
    signal: signals.interrupted,
    ...(options.wait !== undefined && { waitMs: options.wait }),
  });
  try {
    const ending = await runWhileHolding(hold, command, { clock, processes, graceMs, signals });
    if (ending.lost) process.stderr.write(`holdfast: ${hold.name} could not be kept (${reasonOf(hold)}): the command was stopped\n`);
    return ending;
  } finally {
    await release(hold, runtime);
  }
}

function reasonOf(hold: Hold): string {
  return hold.signal.aborted ? messageOf(hold.signal.reason) : 'not renewed in time';
}

async function release(hold: Hold, { clock }: Runtime): Promise<void> {
  using limit = limitAfter(clock, releaseMsMax, () => new HoldfastError('COORD_UNREACHABLE', 'the store does not answer'));
  try {
    await abortable(hold.release(), limit.signal);
  } catch (error) {
    process.stderr.write(`holdfast: ${hold.name} is free only after its TTL: ${messageOf(error)}\n`);
  }
}

/** What the store refuses because of what stands on the command line. */
function asUsage(error: unknown): unknown {
  const usage = ['COORD_BAD_KEY', 'COORD_BAD_TTL', 'COORD_TTL_TOO_SHORT'];
  if (!(error instanceof HoldfastError) || !usage.includes(error.code)) return error;
  return new HoldfastError('CLI_USAGE', error.message, { hint: error.hint, cause: error });
}
