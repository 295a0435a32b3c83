// How long the mathematics takes. `--help` tells the options.
import { writeFile } from 'node:fs/promises';
import { seededRandom } from '../../src/sim/random.ts';
import { describeMachine } from '../kit/machine.ts';
import { summarize } from '../kit/statistics.ts';
import { formatMs, formatTable } from '../kit/table.ts';
import { adviceLines } from './advice.ts';
import { chainLines } from './chains.ts';
import type { Line } from './line.ts';
import { help, parseOptions, type Options } from './options.ts';
import { structureLines } from './structures.ts';

/** Each part of the mathematics adds its own. */
const lines: readonly Line[] = [...structureLines, ...chainLines, ...adviceLines];

interface Run {
  readonly title: string;
  readonly seed: number;
  readonly cpuMs: number;
  /** Resident memory at its end. */
  readonly memoryBytes: number;
  readonly outcome: string;
}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = parseOptions();
    if (options === undefined) {
      process.stdout.write(`${help}\n`);
      return 0;
    }
    const runs = await measure(options);
    process.stdout.write(`${report(runs)}\n`);
    const facts = { at: new Date().toISOString(), machine: await describeMachine(), options, runs };
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(facts, undefined, 1)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function measure({ rounds, seed, only }: Options): Promise<Run[]> {
  const chosen = lines.filter(({ title }) => title.includes(only));
  if (chosen.length === 0) throw new Error(`--only: nothing has '${only}' in its title`);
  const runs: Run[] = [];
  for (const { title, run } of chosen) {
    for (let round = 0; round < rounds; round++) {
      const random = seededRandom(seed + round);
      const before = process.cpuUsage();
      const outcome = await run(random);
      const { user, system } = process.cpuUsage(before);
      const cpuMs = (user + system) / 1e3;
      runs.push({ title, seed: seed + round, cpuMs, memoryBytes: process.memoryUsage.rss(), outcome });
      process.stderr.write(`${title}, seed ${seed + round}: ${formatMs(cpuMs)}; ${outcome}\n`);
    }
  }
  return runs;
}

function report(runs: readonly Run[]): string {
  const titles = [...new Set(runs.map(({ title }) => title))];
  const rows = titles.map((title) => {
    const own = runs.filter((run) => run.title === title);
    const cpu = summarize(own.map(({ cpuMs }) => cpuMs));
    const memory = Math.max(...own.map(({ memoryBytes }) => memoryBytes));
    return [title, formatMs(cpu?.median), formatMs(cpu?.worst), `${Math.round(memory / 2 ** 20)} MiB`];
  });
  return formatTable(['', 'processor time', 'worst', 'memory'], rows);
}
