import { runCommand } from '../kit/command-line.ts';
import { readArguments, usage, type SimulationArguments } from './arguments.ts';
import { planted } from './planted.ts';
import { Progress } from './progress.ts';
import { runSeed } from './run.ts';
import { sweep } from './sweep.ts';
import { count, emptyTally, reportOf, tallyText, violationsToldMax, type FoundViolation } from './tally.ts';

/* `npm run sim`: see `usage`. */

const interruptedCode = 130;

async function run(wanted: SimulationArguments): Promise<number> {
  if (wanted.planted === 'list') {
    for (const { variation, seedsMax } of planted) process.stdout.write(`${variation.name} (found within ${seedsMax} seeds)\n`);
    return 0;
  }
  return wanted.seed === undefined ? await runMany(wanted) : await replay(wanted.seed, wanted);
}

async function replay(seed: number, { json, planted: wanted }: SimulationArguments): Promise<number> {
  const bug = planted.find((one) => one.variation.name === wanted);
  const result = await runSeed(seed, { ...bug?.options, ...(bug && { variation: bug.variation }), traceLinesMax: Infinity });
  const { violation } = result;
  if (json) print({ ...reportOf(result), digest: result.digest, trace: result.world.trace.lines() });
  else {
    for (const line of result.world.trace.lines()) process.stdout.write(`${line}\n`);
    process.stdout.write(violation === undefined ? `\nseed ${seed}: no violation\n` : `\nseed ${seed}: ${violation.message}\n`);
  }
  return violation === undefined ? 0 : 1;
}

async function runMany(wanted: SimulationArguments): Promise<number> {
  const tally = emptyTally();
  const stop = new AbortController();
  // A second signal, as a terminal and npm both pass it on, changes nothing: it is already ending.
  const interrupt = (): void => stop.abort();
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.stderr.write(
    `Running ${wanted.seeds} seeds from ${wanted.from} on ${wanted.workers} threads; an interrupt (Ctrl-C) shows what was done so far.\n`,
  );
  const progress = new Progress(wanted.seeds);
  await sweep({
    ...wanted,
    signal: stop.signal,
    onReport: (report) => {
      count(tally, report);
      progress.show(tally);
    },
  });
  progress.clear();
  const interrupted = stop.signal.aborted && tally.seeds < wanted.seeds;
  if (wanted.json) print({ from: wanted.from, interrupted, ...tally });
  else {
    if (interrupted) process.stdout.write(`Interrupted after ${tally.seeds} of ${wanted.seeds} seeds.\n\n`);
    process.stdout.write(tallyText(tally));
    for (const violation of tally.violations) process.stdout.write(`\n${violationText(violation, wanted.planted)}`);
    if (tally.violationCount > violationsToldMax) process.stdout.write(`\n… and ${tally.violationCount - violationsToldMax} more.\n`);
  }
  if (tally.violationCount > 0) return 1;
  return interrupted ? interruptedCode : 0;
}

function violationText({ seed, violation }: FoundViolation, bug: string | undefined): string {
  return `seed ${seed}: ${violation}\n  replay: npm run sim -- --seed ${seed}${bug === undefined ? '' : ` --planted '${bug}'`}\n`;
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

process.exitCode = await runCommand(process.argv.slice(2), { usage, read: readArguments, run });
