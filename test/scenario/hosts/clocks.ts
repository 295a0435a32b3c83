import { chmodSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentRun, Configuration } from '../agents.ts';

const LIBRARY = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];
/** PostgreSQL of the system: its programs are put behind wrappers, as agents hand no environment down to it. */
const PROGRAMS = '/usr/lib/postgresql/15/bin';
/** libfaketime looks into its file once in so long. */
const CACHED_S = 1;

/** What is missing for clocks on this machine; undefined when nothing is. With HOLDFAST_REQUIRE=all what is missing is an error. */
export function whyNoClocks(): string | undefined {
  const why =
    LIBRARY === undefined ? 'needs libfaketime' : globSync(join(PROGRAMS, 'postgres')).length === 0 ? 'needs postgresql-15' : undefined;
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`clocks: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

/** A wall clock for each host, for its agent and its database; monotonic time goes on as it does. */
export class Clocks implements Disposable {
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'holdfast-clocks-'));

  constructor() {
    chmodSync(this.#directory, 0o755);
  }

  readonly run: AgentRun = ({ name }) => ({ env: this.#environment(name) });

  readonly configure = (config: Configuration, { name }: { name: string }): void => {
    const bin = join(this.#directory, `${name}-bin`);
    mkdirSync(bin, { recursive: true });
    for (const program of readdirSync(PROGRAMS)) if (program !== 'postgres') symlinkSync(join(PROGRAMS, program), join(bin, program));
    const environment = Object.entries(this.#environment(name)).map(([key, value]) => `${key}='${value}'`);
    const wrapper = `#!/bin/sh\nexec env ${environment.join(' ')} ${join(PROGRAMS, 'postgres')} "$@"\n`;
    writeFileSync(join(bin, 'postgres'), wrapper, { mode: 0o755 });
    (config.services['orders']!['postgres'] as { bin: string }).bin = bin;
  };

  /** Jumps to so many seconds beside the true time. Resolves when everybody sees it. */
  async set(host: string, seconds: number): Promise<void> {
    this.#write(host, seconds);
    await sleep(2 * CACHED_S * 1_000);
  }

  #write(host: string, seconds: number): void {
    writeFileSync(this.#file(host), `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s\n`);
  }

  #file(host: string): string {
    return join(this.#directory, `${host}.clock`);
  }

  #environment(host: string): Record<string, string> {
    if (globSync(this.#file(host)).length === 0) this.#write(host, 0);
    return {
      LD_PRELOAD: LIBRARY!,
      FAKETIME_TIMESTAMP_FILE: this.#file(host),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: String(CACHED_S),
      NO_FAKE_STAT: '1',
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
