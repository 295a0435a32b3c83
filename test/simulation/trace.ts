import type { LogFields, Logger } from '../../src/core/logger.ts';
import type { SimulatedTime } from '../../src/sim/index.ts';

/** Kept unless more are asked for. */
const linesMaxDefault = 3_000;

/** What happened, for people: the last part of it, with simulated times. */
export class Trace {
  readonly #time: SimulatedTime;
  readonly #linesMax: number;
  readonly #lines: string[] = [];
  #digest = 0x811c9dc5;

  constructor(time: SimulatedTime, linesMax = linesMaxDefault) {
    this.#time = time;
    this.#linesMax = linesMax;
  }

  /** @param who a node, or a part of the world */
  add(who: string, what: string, fields: LogFields = {}): void {
    const seconds = (this.#time.nowMs / 1_000).toFixed(4).padStart(9);
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) =>
          `${name}=${typeof value === 'string' ? value : JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner))}`,
      );
    const line = `${seconds} ${who.padEnd(6)} ${what} ${details.join(' ')}`.trimEnd();
    for (let i = 0; i < line.length; i++) this.#digest = Math.imul(this.#digest ^ line.charCodeAt(i), 0x01000193);
    this.#lines.push(line);
    if (this.#lines.length > this.#linesMax) this.#lines.shift();
  }

  logger(who: string): Logger {
    const log = (event: string, fields?: LogFields): void => this.add(who, event, fields);
    return { debug: () => {}, info: log, warn: log, error: log, child: () => this.logger(who) };
  }

  /** Of everything ever added: equal for runs that went the same way. */
  get digest(): string {
    return (this.#digest >>> 0).toString(16);
  }

  lines(): readonly string[] {
    return this.#lines;
  }

  /** The last lines. */
  text(lines = this.#linesMax): string {
    return this.#lines.slice(-lines).join('\n');
  }
}
