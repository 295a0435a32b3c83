import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { HistoryEvent } from '../../history/json-lines.ts';

/** What is recorded of one run, each a history of its own. */
export const recordings = { keys: 'store-key', locks: 'lock', elections: 'lock' } as const;
export type Recording = keyof typeof recordings;

/** What one client's events of one recording are kept in. */
export function fileOf(directory: string, client: string, recording: Recording): string {
  return join(directory, `${client}.${recording}.jsonl`);
}

/** Microseconds on the clock that all processes of this machine share (CLOCK_MONOTONIC), rounded down: what is that close counts as overlapping. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** Writes events through at once: what a process recorded is there, however it ends. */
export class Recorder {
  readonly #file: number;

  constructor(directory: string, client: string, recording: Recording) {
    this.#file = openSync(fileOf(directory, client, recording), 'ax');
  }

  /** An operation of this process that begins now. */
  begin(process: string, f: string, key: string, value: unknown, time = nowUs()): Attempt {
    const write = (type: HistoryEvent['type'], answer: unknown, at: number): void => {
      const event: HistoryEvent = { process, type, f, key, value: answer ?? null, time: at };
      writeSync(this.#file, `${JSON.stringify(event, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field))}\n`);
    };
    write('invoke', value, time);
    return {
      ok: (answer, at = nowUs()) => write('ok', answer, at),
      fail: (answer) => write('fail', answer, nowUs()),
      unknown: () => write('info', null, nowUs()),
    };
  }
}

/** An operation that was asked for: what comes of it is said once. */
export interface Attempt {
  ok(answer?: unknown, time?: number): void;
  fail(answer?: unknown): void;
  unknown(): void;
}
