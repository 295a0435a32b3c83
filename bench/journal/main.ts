// What a disaster costs with a journal, and what the journal costs. `--help` tells the options.
import { setMaxListeners } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRuntime } from '../../src/runtime/index.ts';
import { describeMachine, missingPrograms, versionOf } from '../kit/machine.ts';
import { measureCost } from './cost.ts';
import { measureLosses, type Loss } from './losses.ts';
import { help, parseOptions } from './options.ts';
import { formatCost, formatGaps, formatLosses, targets } from './report.ts';
import { measureTakeOvers, type Gap } from './take-over.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort(new Error(`ended by ${name}`)));
  // Clocks and child processes of a runtime keep no process alive.
  const alive = setInterval(() => {}, 60_000);
  try {
    return await measure(stop.signal);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  } finally {
    clearInterval(alive);
  }
}

async function measure(signal: AbortSignal): Promise<number> {
  const options = parseOptions();
  if (options === undefined) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  const { only, postgresBin, repetitions } = options;
  const missing =
    only !== undefined && only !== 'cost' ? [] : missingPrograms(['postgres', 'pgbench'].map((name) => join(postgresBin, name)));
  if (missing.length > 0) throw new Error(`${missing.join(', ')}: not there; apt-get install postgresql-15, or --postgres-bin`);
  await using runtime = createRuntime({ log: { level: 'error' } });
  const watch = { signal, tell: (line: string) => void process.stderr.write(`${line}\n`) };
  const turns = only === undefined || only === 'cost' ? await measureCost(options, watch) : [];
  const losses: Loss[] = [];
  if (only === undefined || only === 'losses') {
    losses.push(...(await measureLosses('1s', repetitions, runtime, watch)));
    losses.push(...(await measureLosses('sync', Math.ceil(repetitions / 2), runtime, watch)));
  }
  const gaps: Gap[] = [];
  if (only === undefined || only === 'take-over')
    for (const journal of ['1s', 'sync']) gaps.push(...(await measureTakeOvers(journal, Math.ceil(repetitions / 2), runtime, watch)));
  const judged = targets(losses, turns);
  const facts = { at: new Date().toISOString(), machine: await describeMachine(), options };
  const versions = turns.length === 0 ? {} : { postgres: await versionOf(join(postgresBin, 'postgres'), '--version') };
  if (losses.length > 0) print(`every process of three nodes killed at once, restored from the location\n${formatLosses(losses)}\n`);
  if (gaps.length > 0) print(`every process of the leader's node killed, a client of the router\n${formatGaps(gaps)}\n`);
  if (turns.length > 0) print(`tpcb-like, one of two replicas acknowledges; medians of the rounds\n${formatCost(turns)}\n`);
  for (const { what, met } of judged) print(`${met ? 'met' : 'NOT MET'}: ${what}`);
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ ...facts, versions, targets: judged, losses, gaps, turns }, undefined, 1)}\n`);
  }
  return judged.every(({ met }) => met) ? 0 : 1;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
