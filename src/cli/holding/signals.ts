import { constants } from 'node:os';

/** Signals that are meant for the command. */
const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const;
/** Those among them that end the wait while there is no command yet. */
const ending: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** What a shell says of a program that was ended by a signal. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** A signal came that ends the wait. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

/**
 * Who gets the signals of this process: the command while one runs; else those that end a program end the waiting. Suspending from the
 * terminal (Ctrl-Z) is not done: this process could not renew the hold, and the command would go on without.
 */
export class Signals implements Disposable {
  readonly #interrupt = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #receiver: ((signal: NodeJS.Signals) => void) | undefined;

  constructor() {
    for (const name of passedOn) this.#listen(name, () => this.#receive(name));
    this.#listen('SIGTSTP', () => {});
  }

  /** Aborts with an `Interrupted` when a signal comes that ends the wait. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** From now on the signals go there, until it is disposed of. */
  passTo(receiver: (signal: NodeJS.Signals) => void): Disposable {
    this.#receiver = receiver;
    return {
      [Symbol.dispose]: () => {
        this.#receiver = undefined;
      },
    };
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }

  #receive(signal: NodeJS.Signals): void {
    this.#receiver?.(signal);
    // Also while a command runs: when it has ended, nothing new begins.
    if (ending.includes(signal)) this.#interrupt.abort(new Interrupted(signal));
  }

  #listen(name: NodeJS.Signals, listener: () => void): void {
    this.#listeners.set(name, listener);
    process.on(name, listener);
  }
}
