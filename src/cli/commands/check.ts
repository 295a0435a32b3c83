import type { Command } from 'commander';
import { parseSubset } from '../../backup/check/subset.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { progressTo } from '../repository/print.ts';

interface CheckCommandOptions extends RepositoryOptions {
  readonly readData?: boolean;
  readonly readDataSubset?: string;
}

export function register(command: Command): void {
  addRepositoryOptions(command)
    .option('--read-data', 'read every byte and compare checksums')
    .option('--read-data-subset <part>', 'read a part: 2/5, 10%, 2GiB')
    .addHelpText('after', '\nExit code 1: something that snapshots need is damaged; nothing is changed.')
    .action(run);
}

async function run(options: CheckCommandOptions): Promise<void> {
  const subset = options.readDataSubset === undefined ? undefined : parseSubset(options.readDataSubset);
  const readData = options.readData === true ? { kind: 'all' as const } : subset;
  const check = async ({ repository, runtime, signal }: Parameters<Parameters<typeof withRepository>[1]>[0]): Promise<void> => {
    const tell = progressTo(options, runtime.clock);
    let readBytes = 0;
    const { checkRepository } = await load();
    const report = await checkRepository(repository, {
      ...(readData === undefined ? {} : { readData }),
      onRead: (sizeBytes) => tell(() => `read ${formatSizeBytes((readBytes += sizeBytes))}`),
      signal,
    });
    if (!report.ok) process.exitCode = 1;
    if (options.json === true) return printJson(report);
    for (const { kind, id, problem, lost } of report.damages) {
      printLine(`${kind} ${id.slice(0, 16)} ${problem}`);
      for (const example of lost.examples) printLine(`  lost: ${example}`);
    }
    const { snapshots, packs, packBytes, strayPacks, bytesRead } = report;
    printLine(
      `${snapshots} snapshots, ${packs} packs of ${formatSizeBytes(packBytes)}, ${strayPacks.length} stray; ${formatSizeBytes(bytesRead)} read`,
    );
    printLine(report.ok ? 'no damage was found' : `${report.damages.length + report.moreDamages} damages`);
  };
  await withRepository(options, check, { skipsDamagedIndexes: true, startsThreads: readData !== undefined, callerWorks: true, load });
}

const load = () => import('../../backup/check/check.ts');
