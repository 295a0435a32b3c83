import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../../core/clock.ts';

/**
 * Ends the command when its deadline passes and nobody moved the deadline on: `holdfast` was stopped, or killed, and can not do it. When
 * `holdfast` has died the command is told to stop at once. Bash, because a stopped or dead Node.js can not do it and this needs 0.4 MB.
 *
 *     bash -c SCRIPT watchdog GROUP DEADLINE      milliseconds since boot, as /proc/uptime counts
 *
 * Standard input: a new deadline per line, or `end`.
 */
const script = `
trap '' HUP INT TERM
group=$1 deadline=$2
find_left() {
  local up
  read -r up _ < /proc/uptime
  left=$(( deadline - 10#\${up/./} * 10 ))
  (( left > 0 ))
}
orphan() {
  kill -TERM -- "-$group" 2>/dev/null || exit 0
  while find_left; do
    kill -0 -- "-$group" 2>/dev/null || exit 0
    sleep 0.05
  done
}
while find_left; do
  printf -v seconds '%d.%03d' $(( left / 1000 )) $(( left % 1000 ))
  if IFS= read -r -t "$seconds" line; then
    [[ $line == end ]] && exit 0
    [[ $line =~ ^[0-9]{1,15}$ ]] && deadline=$line
  elif (( $? <= 128 )); then
    orphan
  fi
done
while kill -KILL -- "-$group" 2>/dev/null; do sleep 0.02; done
`;

/** A guard of one process group, outside this process. */
export class Watchdog implements Disposable {
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  #deadlineMs: number;

  /** @param deadlineMs on the monotonic clock. Where there is no bash, it says so, and `holdfast` alone stops the command */
  constructor(group: number, deadlineMs: number, clock: Clock) {
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    // Without --norc, bash takes a socket as its input (which Node's pipes are) for a remote shell, and runs the user's start-up files first.
    const args = ['--norc', '-c', script, 'holdfast-watchdog', String(group), this.#bootMs(deadlineMs)];
    const env = { PATH: process.env['PATH'] };
    this.#child = spawn('bash', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/', env });
    this.#child.on('error', ({ message }) => {
      process.stderr.write(`holdfast: no watchdog (${message}): should holdfast itself be killed, the command goes on\n`);
    });
    this.#child.stdin?.on('error', () => {});
    this.#child.unref();
  }

  /** Moves the deadline; cheap when it is the same. */
  renew(deadlineMs: number): void {
    if (deadlineMs === this.#deadlineMs) return;
    this.#deadlineMs = deadlineMs;
    this.#child.stdin?.write(`${this.#bootMs(deadlineMs)}\n`);
  }

  /** The command has ended: nothing is left to guard. */
  [Symbol.dispose](): void {
    this.#child.stdin?.end('end\n');
  }

  /** The monotonic clock stands still while the machine is suspended, the bash's does not: that errs on the safe side. */
  #bootMs(deadlineMs: number): string {
    return String(Math.floor(this.#clock.bootMs() + deadlineMs - this.#clock.monotonicMs()));
  }
}
