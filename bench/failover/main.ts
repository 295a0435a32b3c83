// Beside Patroni: how long nobody can write, and what is lost. `--help` tells the options.
import { setMaxListeners } from 'node:events';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeDirectory } from '../kit/directory.ts';
import { describeMachine, missingPrograms, versionOf } from '../kit/machine.ts';
import { Contest } from './contest.ts';
import { help, parseOptions, type Options } from './options.ts';
import { compare, formatAllPhases, formatComparison } from './report.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(args);
  } catch (error) {
    return fail(error);
  }
  if (options === undefined) {
    print(help);
    return 0;
  }
  const missing = missingPrograms(needed(options));
  if (missing.length > 0) return fail(`${missing.join(', ')} is not installed; --help says how to`);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort(new Error(`ended by ${name}`)));
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  // Databases run as other accounts.
  await chmod(directory, 0o711);
  try {
    return await measure(options, directory, stop.signal);
  } catch (error) {
    return fail(stop.signal.aborted ? stop.signal.reason : error);
  } finally {
    if (options.keep) print(`Kept: ${directory}`);
    else await removeDirectory(directory);
  }
}

async function measure(options: Options, directory: string, signal: AbortSignal): Promise<number> {
  const facts = { at: new Date().toISOString(), machine: await describeMachine(), versions: await versions(options), options };
  print(`${JSON.stringify(facts, undefined, 1)}\n`);
  const contest = new Contest(options, { directory, signal, tell: (line) => void process.stderr.write(`${line}\n`), save });
  let broken: unknown;
  try {
    await contest.run();
  } catch (error) {
    // What was measured until then is told all the same.
    broken = error;
  }
  await save();
  const lines = compare(contest.outcomes);
  const holdfast = contest.outcomes.get('holdfast');
  if (holdfast !== undefined) print(`${formatAllPhases(holdfast)}\n`);
  if (lines.length > 0) print(formatComparison(lines));
  const failures = [...contest.outcomes.values()].flatMap((outcome) => outcome.failures);
  for (const note of [...contest.notes, ...failures]) print(note);
  if (broken !== undefined) return fail(signal.aborted ? signal.reason : broken);
  return failures.length === 0 && lines.every((line) => line.targets.every(({ met }) => met)) ? 0 : 1;

  async function save(): Promise<void> {
    if (options.json === undefined) return;
    const outcomes = [...contest.outcomes.values()].map((outcome) =>
      options.trace ? outcome : { ...outcome, repetitions: outcome.repetitions.map(({ trace: _, ...rest }) => rest) },
    );
    await writeFile(
      options.json,
      `${JSON.stringify({ ...facts, notes: contest.notes, comparison: compare(contest.outcomes), outcomes }, undefined, 1)}\n`,
    );
  }
}

function needed({ contenders, events, postgresBin }: Options): string[] {
  return [
    join(postgresBin, 'postgres'),
    'etcd',
    'etcdctl',
    ...(contenders.includes('patroni') ? ['patroni', 'haproxy'] : []),
    ...(events.includes('pgbouncer-switchover') ? ['pgbouncer'] : []),
  ];
}

async function versions({ contenders, postgresBin }: Options): Promise<Record<string, string>> {
  return {
    postgres: await versionOf(join(postgresBin, 'postgres'), '--version'),
    etcd: await versionOf('etcd', '--version'),
    ...(contenders.includes('patroni') && {
      patroni: await versionOf('patroni', '--version'),
      haproxy: await versionOf('/usr/sbin/haproxy', '-v'),
    }),
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(error: unknown): number {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 2;
}
