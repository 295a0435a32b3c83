import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../../core/clock.ts';
import type { Processes } from '../../core/processes.ts';
import type { Hold } from '../../coordination/hold.ts';
import { exitCodeOf, type Signals } from './signals.ts';
import { Watchdog } from './watchdog.ts';

/** How often the watchdog hears of renewals and the hold is looked at: share of the time it was granted for. */
const looksPerSpan = 8;
/** How long killed processes are waited for; one that hangs in the kernel may never go. */
const killMsMax = 10_000;
const killPollMs = 10;
/** As a shell says it (POSIX, Shell Command Language 2.8.2). */
const notFound = 127;
const notExecutable = 126;

export interface Ending {
  /** The hold was over, or about to be, before the command ended by itself. */
  readonly lost: boolean;
  /** Of the command: its exit code, or 128 + n when signal n ended it. */
  readonly code: number;
}

/**
 * Runs a command in a session of its own while a hold lasts. It gets HOLDFAST_TOKEN and HOLDFAST_NAME, our terminal or pipes, and the
 * signals that we get. When the hold can not be renewed it gets SIGTERM `graceMs` before the hold's validity ends, and all of it is killed
 * at that end, when nobody else can hold yet; at once, when the store says that the hold is over. What it leaves behind is stopped too:
 * when this returns nothing of it runs, and the caller may release the hold.
 */
export async function runWhileHolding(
  hold: Hold,
  command: readonly string[],
  options: { clock: Clock; processes: Processes; graceMs: number; signals: Signals },
): Promise<Ending> {
  const { clock, processes, graceMs } = options;
  const [program = '', ...args] = command;
  const env = { ...process.env, HOLDFAST_TOKEN: String(hold.token), HOLDFAST_NAME: hold.name };
  const child = spawn(program, args, { stdio: 'inherit', detached: true, env });
  const exit = untilExit(child);
  const { pid } = child;
  if (pid === undefined) return { lost: false, code: await exit };
  using _signals = options.signals.passTo((signal) => killGroup(pid, signal));
  using watchdog = new Watchdog(pid, hold.validUntilMs, clock);
  const over = new AbortController();
  const unsafe = untilUnsafe(hold, watchdog, clock, graceMs, over.signal);
  const lost = await Promise.race([exit.then(() => false), unsafe.then(() => true)]);
  over.abort();
  await stopAll(pid, hold, { clock, processes, graceMs });
  return { lost, code: await exit };
}

/** Resolves when the time has come to stop: the hold is over, or ends in `graceMs` if it is not renewed. */
async function untilUnsafe(hold: Hold, watchdog: Watchdog, clock: Clock, graceMs: number, over: AbortSignal): Promise<void> {
  const stop = AbortSignal.any([hold.signal, over]);
  const lookMs = (hold.validUntilMs - clock.monotonicMs()) / looksPerSpan;
  while (!stop.aborted) {
    watchdog.renew(hold.validUntilMs);
    const leftMs = hold.validUntilMs - graceMs - clock.monotonicMs();
    if (leftMs <= 0) return;
    await clock.sleep(Math.min(lookMs, leftMs), stop).catch(() => {});
  }
}

/** Ends what is left of the command: asked first, as long as there is time, then killed. */
async function stopAll(
  session: number,
  hold: Hold,
  { clock, processes, graceMs }: { clock: Clock; processes: Processes; graceMs: number },
): Promise<void> {
  const asksUntilMs = Math.min(clock.monotonicMs() + graceMs, hold.validUntilMs);
  for (let asked = false; processes.inSession(session).length > 0; asked = true) {
    if (hold.signal.aborted || clock.monotonicMs() >= asksUntilMs) break;
    if (!asked) killGroup(session, 'SIGTERM');
    await clock.sleep(killPollMs, hold.signal).catch(() => {});
  }
  const killsUntilMs = clock.monotonicMs() + killMsMax;
  for (let left = processes.inSession(session); left.length > 0; left = processes.inSession(session)) {
    for (const identity of left) processes.kill(identity, 'SIGKILL');
    if (clock.monotonicMs() > killsUntilMs) throw new Error(`processes ${left.map(({ pid }) => pid).join(', ')} can not be killed`);
    await clock.sleep(killPollMs);
  }
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has just ended.
  }
}

function untilExit(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : exitCodeOf(signal)));
    child.once('error', (error: NodeJS.ErrnoException) => {
      process.stderr.write(`holdfast: ${error.message}\n`);
      resolve(error.code === 'ENOENT' ? notFound : notExecutable);
    });
  });
}
