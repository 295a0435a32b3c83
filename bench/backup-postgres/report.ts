import { summarize } from '../kit/statistics.ts';
import { formatMs, formatTable } from '../kit/table.ts';
import { rows, type Contest, type Measured, type Step } from './contest.ts';

const mebibyte = 1024 * 1024;

type Value = (one: Measured) => number | undefined;

/** Medians; Holdfast beside the fastest of the others: above 1 it is faster. */
export function reportContest({ databaseBytes, measured }: Contest): string {
  const programs = [...new Set(measured.map(({ program }) => program))];
  const table = rows.flatMap((row) =>
    programs.map((program) => {
      const of = (who: string, value: Value): number | undefined =>
        summarize(measured.filter((one) => one.row === row && one.program === who).flatMap((one) => value(one) ?? []))?.median;
      const others = programs.filter((one) => one !== 'holdfast');
      const ratio = (value: Value, theirs: Value = (one) => one.wallMs): string => {
        const own = of(program, value);
        if (program !== 'holdfast' || own === undefined || others.length === 0) return '';
        return `${(Math.min(...others.map((one) => of(one, theirs)!)) / own).toFixed(2)}×`;
      };
      return [
        `${row}, ${program}`,
        formatMs(of(program, (one) => one.wallMs)),
        formatMs(of(program, (one) => one.workMs)),
        formatMs(of(program, (one) => one.cpuMs)),
        rate(
          databaseBytes,
          of(program, (one) => one.wallMs),
        ),
        mib(of(program, (one) => one.memoryBytes)),
        mib(of(program, (one) => one.readBytes)),
        mib(of(program, (one) => one.repositoryBytes)),
        ratio((one) => one.wallMs),
        ratio((one) => one.workMs),
        ratio(
          (one) => one.cpuMs,
          (one) => one.cpuMs,
        ),
      ];
    }),
  );
  const head = ['', 'wall', 'of that work', 'CPU', 'MB/s', 'memory', 'read', 'repository', 'as fast', 'by work', 'by CPU'];
  return `database: ${mib(databaseBytes)}\n${formatTable(head, table)}`;
}

export function reportChanges({ databaseBytes, steps }: { readonly databaseBytes: number; readonly steps: readonly Step[] }): string {
  const table = steps.map(({ what, changedBytes, ran, storedBytes }) => [
    what,
    mib(changedBytes),
    mib(ran.readBytes),
    changedBytes === undefined || changedBytes === 0 ? '' : ((ran.readBytes ?? 0) / changedBytes).toFixed(2),
    mib(storedBytes),
    formatMs(ran.wallMs),
    formatMs(ran.workMs),
    formatMs(ran.cpuMs),
  ]);
  return `database: ${mib(databaseBytes)}\n${formatTable(['changed', 'pages', 'read', 'read/pages', 'stored', 'wall', 'of that work', 'CPU'], table)}`;
}

function mib(bytes: number | undefined): string {
  if (bytes === undefined) return '–';
  return `${(bytes / mebibyte).toFixed(bytes < 100 * mebibyte ? 1 : 0)} MiB`;
}

/** Of the whole database, however little of it is read or written. */
function rate(bytes: number, wallMs: number | undefined): string {
  return wallMs === undefined ? '–' : String(Math.round(bytes / wallMs / 1000));
}
