import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildPackage } from '../../kit/package.ts';
import { removeDirectory } from '../../kit/directory.ts';
import { runMeasured, type Usage } from '../../kit/measured-run.ts';
import { assertSameTrees, treeBytes } from './compare.ts';
import { changeData, makeData } from './data.ts';
import { borg, holdfast, restic, type Command, type Places, type Program } from './programs.ts';

const run = promisify(execFile);

export const rows = ['first', 'unchanged', 'changed', 'restore', 'check'] as const;
export type Row = (typeof rows)[number];
export const contenders = ['holdfast', 'restic', 'borg'] as const;
export type Contender = (typeof contenders)[number];

export interface Measured extends Usage {
  readonly row: Row;
  readonly contender: Contender;
  readonly repetition: number;
  /** Until all that was written is on the disk: what a program leaves to the system is waited for. */
  readonly durableMs: number;
  /** Of the repository, afterwards. */
  readonly repositoryBytes: number;
}

export interface ContestOptions {
  readonly directory: string;
  readonly sizeBytes: number;
  readonly repetitions: number;
  readonly seed: number;
  readonly contenders: readonly Contender[];
  /** Nothing of source and repository is in the cache of the system; else all of the source is, and of the repository what was written last. */
  readonly cold: boolean;
  readonly onMeasured: (measured: Measured) => void;
}

/** So much is changed between the second backup and the third. */
export const changedShare = 0.02;
/** What every program does once before anything is measured. */
const warmUpBytes = 4 * 1024 * 1024;

/** Lets each program do the same with the same data, in turn. */
export async function runContest(options: ContestOptions): Promise<Measured[]> {
  const { directory, sizeBytes, seed } = options;
  const binary = options.contenders.includes('holdfast') ? await buildPackage(join(directory, 'package')) : '';
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, 'open sesame\n', { mode: 0o600 });
  const measured: Measured[] = [];
  const open = (contender: Contender, name: string): Contest => {
    const home = join(directory, name, contender);
    const places = { repository: join(home, 'repository'), home: join(home, 'home'), passwordFile };
    return { contender, places, program: programOf(contender, binary, places), directory: home };
  };

  const small = join(directory, 'warm-up-source');
  makeData(small, warmUpBytes, seed);
  for (const contender of options.contenders) {
    const contest = open(contender, 'warm-up');
    await mkdir(contest.directory, { recursive: true });
    await contest.program.init();
    for (const row of rows) await measure(contest, row, 0, small, options);
  }
  await removeDirectory(join(directory, 'warm-up'));

  for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
    const source = join(directory, 'source');
    makeData(source, sizeBytes, seed + repetition - 1);
    const contests = options.contenders.map((contender) => open(contender, `run-${repetition}`));
    for (const { directory: home, program } of contests) {
      await mkdir(home, { recursive: true });
      await program.init();
    }
    for (const row of rows) {
      if (row === 'changed') changeData(source, changedShare, seed + repetition - 1);
      for (const contest of contests) {
        const result = await measure(contest, row, repetition, source, options);
        measured.push(result);
        options.onMeasured(result);
      }
    }
    await removeDirectory(join(directory, `run-${repetition}`));
    await removeDirectory(source);
  }
  return measured;
}

interface Contest {
  readonly contender: Contender;
  readonly places: Places;
  readonly program: Program;
  readonly directory: string;
}

function programOf(contender: Contender, binary: string, places: Places): Program {
  switch (contender) {
    case 'restic':
      return restic(places);
    case 'borg':
      return borg(places);
    case 'holdfast':
      return holdfast(binary, places);
  }
}

async function measure(
  { contender, places, program, directory }: Contest,
  row: Row,
  repetition: number,
  source: string,
  { cold }: ContestOptions,
): Promise<Measured> {
  const target = join(directory, 'restored');
  if (row === 'restore') await mkdir(target);
  await settleDisk(cold);
  const usage = await runMeasured({ ...commandOf(program, row, source, target), logFile: join(directory, `${row}.log`) });
  const before = performance.now();
  await run('sync', ['-f', directory]);
  const durableMs = usage.wallMs + performance.now() - before;
  if (row === 'restore') {
    await assertSameTrees(source, target);
    await removeDirectory(target);
  }
  return { row, contender, repetition, ...usage, durableMs, repositoryBytes: await treeBytes(places.repository) };
}

function commandOf(program: Program, row: Row, source: string, target: string): Command {
  switch (row) {
    case 'restore':
      return program.restore(target, 3);
    case 'check':
      return program.check();
    default:
      return program.backup(source, 1 + rows.indexOf(row));
  }
}

/** What another has left to be written does not cost the next one. */
async function settleDisk(cold: boolean): Promise<void> {
  await run('sync');
  if (cold) await writeFile('/proc/sys/vm/drop_caches', '3');
}
