import { appendFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Write } from '../scenario/hosts/history.ts';
import type { RoundReport } from './report.ts';

/** What stays of a soak: `history.jsonl` with every write, `rounds.jsonl`, and after a finding the `logs` of all hosts. */
export class SoakDirectory {
  readonly path: string;
  #failed = false;

  constructor(path: string | undefined) {
    this.path = path === undefined ? mkdtempSync(join(tmpdir(), 'holdfast-soak-')) : resolve(path);
    mkdirSync(this.path, { recursive: true });
  }

  /** Unanswered writes end at null. */
  writes(writes: readonly Write[]): void {
    if (writes.length > 0) appendFileSync(join(this.path, 'history.jsonl'), writes.map((write) => `${JSON.stringify(write)}\n`).join(''));
  }

  round(report: RoundReport): void {
    appendFileSync(join(this.path, 'rounds.jsonl'), `${JSON.stringify(report)}\n`);
    if (report.findings.length > 0) this.failed();
  }

  /** From now on logs are wanted. */
  failed(): void {
    this.#failed = true;
  }

  /** Of the hosts, whose own directory goes. */
  async keepLogs(from: string): Promise<void> {
    if (!this.#failed) return;
    const wanted = (path: string): boolean =>
      !/-disk(-\d+\.img)?(\/|$)|\.sock|\/tls(\/|$)/.test(path) && (/\.(log|yaml|json)$/.test(path) || !/\.\w+$/.test(path));
    await cp(from, join(this.path, 'logs'), { recursive: true, filter: wanted, errorOnExist: false }).catch(() => {});
  }
}
