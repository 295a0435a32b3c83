import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../src/core/clock.ts';
import { checkLinearizable, type Verdict } from '../../history/check.ts';
import { explain } from '../../history/explain.ts';
import { type Consumer, type HistoryEvent, readJsonLines } from '../../history/json-lines.ts';
import { type Recording, recordings } from './recorder.ts';

const checkMsMax = 60_000;

/** What came of one recording. */
export interface Finding {
  readonly recording: Recording;
  readonly verdict: Verdict;
  /** Where an order ends, when there is none. */
  readonly why: string;
  /** The whole history, in one file. */
  readonly file: string;
  /** Answers by kind: `swap ok`, `swap fail`, `swap info`. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Recordings of all clients of one run, in a directory that goes with it, unless it is kept. */
export class Histories implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-histories-'));
  readonly #clock: Clock;
  #kept = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts together what the clients recorded, and checks it. What is not linearizable, or not decided, is kept. */
  async check(): Promise<Finding[]> {
    return Promise.all((Object.keys(recordings) as Recording[]).map((recording) => this.#check(recording)));
  }

  keep(): void {
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept) await rm(this.directory, { recursive: true, force: true });
  }

  async #check(recording: Recording): Promise<Finding> {
    const lines = await this.#linesOf(recording);
    const text = [JSON.stringify({ history: 1, model: recordings[recording] }), ...lines, ''].join('\n');
    const file = join(this.directory, `${recording}.jsonl`);
    await writeFile(file, text);
    const judge: Consumer<{ verdict: Verdict; why: string }> = ({ model, operations }) => {
      const { verdict, failure } = checkLinearizable(model, operations, { clock: this.#clock, limitMs: checkMsMax });
      return { verdict, why: failure === undefined ? '' : explain(model, failure) };
    };
    const judged = readJsonLines(text, judge);
    if (judged.verdict !== 'linearizable') this.keep();
    return { recording, ...judged, file, counts: countAnswers(lines) };
  }

  async #linesOf(recording: Recording): Promise<string[]> {
    const files = (await readdir(this.directory)).filter((name) => name.endsWith(`.${recording}.jsonl`));
    const texts = await Promise.all(files.map((name) => readFile(join(this.directory, name), 'utf8')));
    // The last line of a killed client may be torn: what follows the last line feed does not count.
    return texts.flatMap((text) => text.split('\n').slice(0, -1));
  }
}

function countAnswers(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const { f, type } = JSON.parse(line) as HistoryEvent;
    if (type !== 'invoke') counts[`${f} ${type}`] = (counts[`${f} ${type}`] ?? 0) + 1;
  }
  return counts;
}
