import type { ReadStream, WriteStream } from 'node:tty';

// Control sequences of xterm and everything after it (XTerm Control Sequences, "Functions using CSI").
const enterAlternate = '\u001b[?1049h\u001b[?25l';
const leaveAlternate = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';

const quitKeys: readonly string[] = ['q', 'Q', '\u0003', '\u0004', '\u001b'];

/** The whole terminal for a while: draws frames, tells of resizes and of the wish to quit, and leaves everything as it was. */
export class Screen implements Disposable {
  readonly #out: WriteStream;
  readonly #in: ReadStream;
  readonly #quit = new AbortController();
  readonly #onResize: () => void;

  constructor(out: WriteStream, input: ReadStream, onResize: () => void) {
    this.#out = out;
    this.#in = input;
    this.#onResize = onResize;
    out.write(enterAlternate);
    out.on('resize', onResize);
    input.setRawMode(true);
    input.on('data', this.#onKeys).resume();
    process.on('exit', this.#restore);
    for (const signal of endings) process.on(signal, this.#onSignal);
  }

  /** Aborts when the user has seen enough. */
  get quit(): AbortSignal {
    return this.#quit.signal;
  }

  get width(): number {
    return this.#out.columns;
  }

  get height(): number {
    return this.#out.rows;
  }

  /** Replaces what is shown. What does not fit is cut off. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.height).map((line) => `${cutOff(line, this.width)}${clearLine}`);
    // In one write, and over what was there: nothing flickers.
    this.#out.write(`${home}${shown.join('\r\n')}${clearBelow}`);
  }

  [Symbol.dispose](): void {
    this.#restore();
    this.#out.off('resize', this.#onResize);
    this.#in.off('data', this.#onKeys).pause();
    process.off('exit', this.#restore);
    for (const signal of endings) process.off(signal, this.#onSignal);
  }

  readonly #onKeys = (keys: Buffer | string): void => {
    if (quitKeys.includes(String(keys))) this.#quit.abort();
  };

  readonly #onSignal = (): void => this.#quit.abort();

  readonly #restore = (): void => {
    this.#in.setRawMode(false);
    this.#out.write(leaveAlternate);
  };
}

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first `width` visible characters; colours take no place. */
export function cutOff(line: string, width: number): string {
  let visible = 0;
  let cut = '';
  let painted = false;
  // eslint-disable-next-line no-control-regex
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|[^]/gu)) {
    if (part.startsWith('\u001b[')) {
      painted = part !== '\u001b[0m';
      cut += part;
    } else if (visible < width) {
      visible++;
      cut += part;
    }
  }
  return painted ? `${cut}\u001b[0m` : cut;
}
