// Copies of files, beside other programs. `--help` tells the options.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeDirectory } from '../kit/directory.ts';
import { describeMachine, missingPrograms, versionOf } from '../kit/machine.ts';
import { contenders, runContest } from './files/contest.ts';
import { report } from './files/report.ts';
import { help, parseOptions, type Options } from './options.ts';
import { formatMs } from '../kit/table.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = parseOptions();
    if (options === undefined) {
      process.stdout.write(`${help}\n`);
      return 0;
    }
    await compare(options);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function compare(options: Options): Promise<void> {
  const absent = missingPrograms(['restic', 'borg']);
  if (absent.length > 0 && options.only === undefined) process.stderr.write(`without ${absent.join(' and ')}: not installed\n`);
  const chosen = options.only ?? contenders.filter((name) => !absent.includes(name));
  const machine = await describeMachine();
  const versions = await Promise.all(
    chosen.filter((name) => name !== 'holdfast').map((name) => versionOf(name, name === 'borg' ? '--version' : 'version')),
  );
  const directory = await mkdtemp(join(options.directory, 'holdfast-bench-'));
  try {
    const measured = await runContest({
      ...options,
      directory,
      contenders: chosen,
      onMeasured: ({ row, contender, repetition, wallMs, cpuMs }) =>
        process.stderr.write(`${repetition}: ${row}, ${contender}: ${formatMs(wallMs)}, CPU ${formatMs(cpuMs)}\n`),
    });
    process.stdout.write(`${report(measured)}\n`);
    process.stdout.write(
      `${versions.join('; ')}; Holdfast at ${machine.commit}; load before ${machine.loadAverage.map((one) => one.toFixed(1)).join(' ')}\n`,
    );
    const facts = { at: new Date().toISOString(), machine, versions, options, measured };
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(facts, undefined, 1)}\n`);
  } finally {
    await removeDirectory(directory);
  }
}
