import { assertSameRelations } from './compare.ts';
import { BenchCluster } from './cluster.ts';
import { holdfast, pgbackrest, type Program, type Ran } from './programs.ts';
import type { Options } from './options.ts';

export const rows = ['full', 'restore', 'incremental', 'delta restore'] as const;
export type Row = (typeof rows)[number];

export interface Measured extends Ran {
  readonly row: Row;
  readonly program: string;
  readonly repetition: number;
  readonly repositoryBytes: number;
}

export interface Contest {
  readonly databaseBytes: number;
  readonly measured: readonly Measured[];
}

/** Between the full backup and the incremental one. */
const changedShare = 0.02;

/** Lets the programs do the same with the same cluster of PostgreSQL, in turn. */
export async function runContest(options: Options, tell: (line: string) => void): Promise<Contest> {
  const { postgresBin, scale } = options;
  tell(`a pgbench cluster of scale ${scale}, for all`);
  await using cluster = await BenchCluster.make(scale, { bin: postgresBin, pgbench: options.pgbench, summaries: false });
  const databaseBytes = await cluster.sizeBytes();
  const measured: Measured[] = [];
  for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
    const programs: Program[] = [await holdfast(cluster)];
    for (const compression of options.pgbackrest) programs.push(await pgbackrest(cluster, compression));
    for (const program of programs) await program.init();
    for (const row of rows) {
      if (row === 'incremental') await cluster.change(changedShare, 'together');
      for (const program of programs) {
        await cluster.settle();
        const one = {
          row,
          program: program.name,
          repetition,
          ...(await runRow(program, row, cluster)),
          repositoryBytes: await program.repositoryBytes(),
        };
        measured.push(one);
        tell(`${repetition}: ${row}, ${program.name}: ${Math.round(one.wallMs)} ms, CPU ${Math.round(one.cpuMs)} ms`);
        if (row.endsWith('restore')) await assertSameRelations(cluster.member.data, targetOf(program, cluster));
      }
    }
    for (const program of programs) await program.remove(targetOf(program, cluster));
  }
  return { databaseBytes, measured };
}

async function runRow(program: Program, row: Row, cluster: BenchCluster): Promise<Ran> {
  if (row === 'full' || row === 'incremental') return await program.backUp(row);
  await cluster.folder(`restored-by-${program.name}`);
  return await program.restore(targetOf(program, cluster));
}

function targetOf(program: Program, cluster: BenchCluster): string {
  return `${cluster.directory}/restored-by-${program.name}`;
}

export interface Step {
  readonly what: string;
  /** Pages that the server's summaries name, of all relations. */
  readonly changedBytes: number | undefined;
  readonly ran: Ran;
  readonly storedBytes: number;
}

/** How the cost of a base backup goes with what changed, where the server knows what did. */
export async function runChanges(options: Options, tell: (line: string) => void): Promise<{ databaseBytes: number; steps: Step[] }> {
  tell(`a pgbench cluster of scale ${options.scale} that summarises WAL`);
  await using cluster = await BenchCluster.make(options.scale, { pgbench: options.pgbench, summaries: true });
  const databaseBytes = await cluster.sizeBytes();
  const program = await holdfast(cluster);
  await program.init();
  const steps: Step[] = [];
  const step = async (what: string, kind: 'full' | 'incremental', change: () => Promise<void>): Promise<void> => {
    const [position] = await cluster.query('select redo_lsn::text as lsn from pg_control_checkpoint()');
    await change();
    const before = await program.repositoryBytes();
    const ran = await program.backUp(kind);
    const changedBytes = kind === 'full' ? undefined : await changedSince(cluster, String(position!['lsn']));
    steps.push({ what, ran, changedBytes, storedBytes: (await program.repositoryBytes()) - before });
    tell(`${what}: ${Math.round(ran.wallMs)} ms`);
  };
  await step('everything', 'full', () => cluster.settle());
  for (const share of [0, 0.02, 0.2])
    await step(`${share * 100} % of the rows, side by side`, 'incremental', () => cluster.change(share, 'together'));
  await step('2 % of the rows, all over the table', 'incremental', () => cluster.change(0.02, 'spread'));
  const target = await cluster.folder('restored');
  await program.restore(target);
  await assertSameRelations(cluster.member.data, target);
  return { databaseBytes, steps };
}

async function changedSince(cluster: BenchCluster, lsn: string): Promise<number> {
  const [row] = await cluster.query(
    `select count(distinct (reltablespace, reldatabase, relfilenode, relforknumber, relblocknumber)) * 8192 as bytes
       from pg_available_wal_summaries() s, pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn)
      where s.start_lsn >= '${lsn}'::pg_lsn and not is_limit_block`,
  );
  return Number(row!['bytes']);
}
