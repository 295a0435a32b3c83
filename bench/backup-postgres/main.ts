// Base backups of PostgreSQL, beside pgBackRest. `--help` tells the options.
import { writeFile } from 'node:fs/promises';
import { describeMachine, missingPrograms, versionOf } from '../kit/machine.ts';
import { runChanges, runContest } from './contest.ts';
import { help, parseOptions, type Options } from './options.ts';
import { reportChanges, reportContest } from './report.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = parseOptions();
    if (options === undefined) print(help);
    else await measure(options);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function measure(options: Options): Promise<void> {
  const wantsContest = options.only !== 'changes';
  const absent = missingPrograms(
    wantsContest ? [options.pgbench, ...(options.pgbackrest.length > 0 ? ['pgbackrest'] : [])] : [options.pgbench],
  );
  if (absent.length > 0) throw new Error(`${absent.join(', ')} is not installed (Debian: postgresql-15, pgbackrest)`);
  const machine = await describeMachine();
  const tell = (line: string): void => void process.stderr.write(`${line}\n`);
  const contest = wantsContest ? await runContest(options, tell) : undefined;
  if (contest !== undefined) print(reportContest(contest));
  const changes = options.only === 'comparison' ? undefined : await runChanges(options, tell);
  if (changes !== undefined) print(`\n${reportChanges(changes)}`);
  const version = options.pgbackrest.length > 0 && wantsContest ? await versionOf('pgbackrest', 'version') : undefined;
  print(
    `${version === undefined ? '' : `${version}; `}Holdfast at ${machine.commit}; load before ${machine.loadAverage.map((one) => one.toFixed(1)).join(' ')}`,
  );
  if (options.json !== undefined) {
    const facts = { at: new Date().toISOString(), machine, version, options, contest, changes };
    await writeFile(options.json, `${JSON.stringify(facts, undefined, 1)}\n`);
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
