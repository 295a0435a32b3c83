import { appendFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
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

  /** Of the hosts, whose own directory goes, and others by their name. */
  async keepLogs(from: string, others: Readonly<Record<string, string>>): Promise<void> {
    if (!this.#failed) return;
    for (const [name, text] of Object.entries(others)) await this.#keep(name, (to) => writeFile(to, text));
    for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && /\.log(\.\d+)?$/.test(path)) await this.#keep(relative(from, path), (to) => copyFile(path, to));
    }
  }

  async #keep(name: string, write: (to: string) => Promise<void>): Promise<void> {
    const to = join(this.path, 'logs', name);
    await mkdir(dirname(to), { recursive: true });
    await write(to);
  }
}
