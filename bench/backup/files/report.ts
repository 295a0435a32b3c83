import { summarize } from '../../kit/statistics.ts';
import { formatMs, formatTable } from '../../kit/table.ts';
import { contenders, rows, type Contender, type Measured, type Row } from './contest.ts';

const mebibyte = 1024 * 1024;

/** Medians of each row, and Holdfast beside the best of the others: above 1 it is better. */
export function report(measured: readonly Measured[]): string {
  const of = (row: Row, contender: Contender, value: (one: Measured) => number): number | undefined =>
    summarize(measured.filter((one) => one.row === row && one.contender === contender).map(value))?.median;
  const table = rows.flatMap((row) =>
    contenders.flatMap((contender) => {
      const median = (value: (one: Measured) => number): number | undefined => of(row, contender, value);
      const wallMs = median((one) => one.wallMs);
      if (wallMs === undefined) return [];
      const ratios = contender !== 'holdfast' ? [] : [ratio((one) => one.durableMs), ratio((one) => one.cpuMs)];
      return [
        [
          `${row}, ${contender}`,
          formatMs(wallMs),
          formatMs(median((one) => one.durableMs)),
          formatMs(median((one) => one.cpuMs)),
          mib(median((one) => one.memoryBytes)),
          mib(median((one) => one.repositoryBytes)),
          ...ratios,
        ],
      ];

      function ratio(value: (one: Measured) => number): string {
        const others = contenders.filter((one) => one !== 'holdfast').flatMap((one) => of(row, one, value) ?? []);
        const own = of(row, 'holdfast', value);
        return own === undefined || others.length === 0 ? '' : `${(Math.min(...others) / own).toFixed(2)}×`;
      }
    }),
  );
  return formatTable(['', 'wall', 'on the disk', 'CPU', 'memory', 'repository', 'as fast, by time on the disk', 'by CPU'], table);
}

function mib(bytes: number | undefined): string {
  return bytes === undefined ? '–' : `${Math.round(bytes / mebibyte)} MiB`;
}
