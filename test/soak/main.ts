import { messageOf } from '../../src/core/errors.ts';
import { runCommand } from '../kit/command-line.ts';
import { whyNoClocks } from '../scenario/hosts/clocks.ts';
import { whyNoDisks } from '../scenario/hosts/disk.ts';
import { whyNoHosts } from '../scenario/hosts/machine.ts';
import { readArguments, usage, type SoakArguments } from './arguments.ts';
import { SoakDirectory } from './directory.ts';
import { roundText, summaryText, type RoundReport } from './report.ts';
import { soak } from './soak.ts';

/* `npm run soak`: see `usage`. */

const INTERRUPTED = 130;

async function run(wanted: SoakArguments): Promise<number> {
  const why = whyNoHosts() ?? whyNoDisks() ?? whyNoClocks();
  if (why !== undefined) {
    process.stderr.write(`error: this machine can not do it: ${why}\n`);
    return 2;
  }
  return await soakAndTell(wanted);
}

async function soakAndTell({ minutes, seed, coordination, directory: path, json }: SoakArguments): Promise<number> {
  const directory = new SoakDirectory(path);
  const stop = new AbortController();
  // A second signal, as a terminal and npm both pass it on, changes nothing: it is already ending.
  const interrupt = (): void => stop.abort();
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const say = (text: string, value: object): void => void process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  say(`seed ${seed}, ${minutes} minutes on ${coordination}; history in ${directory.path}`, {
    seed,
    minutes,
    coordination,
    directory: directory.path,
  });
  try {
    const onRound = (report: RoundReport): void => say(roundText(report), { round: report });
    const summary = await soak({ minutes, seed, coordination, directory, onRound, signal: stop.signal });
    say(summaryText(summary), { summary });
    if (Object.keys(summary.findings).length > 0) {
      process.stderr.write(
        `all logs are in ${directory.path}; the same faults again: npm run soak -- --minutes ${minutes} --seed ${seed}\n`,
      );
      return 1;
    }
    return stop.signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    process.stderr.write(`error: the soak itself failed: ${messageOf(error)}\n`);
    return 1;
  }
}

process.exitCode = await runCommand(process.argv.slice(2), { usage, read: readArguments, run });
