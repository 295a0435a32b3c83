import type { Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import { formatSizeBytes, parseRate } from '../../core/units.ts';
import { createRuntime } from '../../runtime/index.ts';
import type { LocationStatus, ScrubReport } from '../../storage/index.ts';
import { scrub } from '../../storage/combinators/scrub.ts';
import { openLocation } from '../../storage/registry.ts';
import type { CommonOptions } from '../command.ts';
import { printJson, printLine } from '../print.ts';
import { placeOf } from '../repository/open.ts';
import { progressTo } from '../repository/print.ts';

interface ScrubCommandOptions extends CommonOptions {
  readonly config?: string;
  readonly rate?: number;
  readonly after?: string;
  readonly heal: boolean;
  readonly removeRemnants?: boolean;
}

export function register(command: Command): void {
  command
    .argument('[location]', 'of the configuration, or a directory (with a "/" in it); else that of HOLDFAST_REPO')
    .option('-c, --config <file>', 'configuration that names the locations (default: holdfast.yaml, /etc/holdfast/holdfast.yaml)')
    .option('--rate <rate>', 'read no more than this, of all parts together: 20MiB/s', parseRate)
    .option('--after <key>', 'go on behind this object, as a scrub that was ended has told')
    .option('--no-heal', 'only tell what is wrong')
    .option('--remove-remnants', 'remove what is too little to make an object of, and older than ten minutes')
    .addHelpText(
      'after',
      `
Reads every copy and every shard of a location, compares each with its checksum or key, and heals it from the others. Needs no password.
Exit code 1: something is wrong and was not healed, or a part of the location is away.`,
    )
    .action(run);
}

async function run(location: string | undefined, options: ScrubCommandOptions): Promise<void> {
  const { config, rate, after, heal, removeRemnants } = options;
  const place = await placeOf({ ...(location !== undefined && { repo: location }), ...(config !== undefined && { config }) });
  await using runtime = createRuntime({ log: { level: 'error' } });
  const stop = new AbortController();
  let position = after ?? '';
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(interrupted(position)));
  const { signal } = stop;
  const tell = progressTo(options, runtime.clock);
  await using opened = await openLocation(place.name, place.locations, runtime, { signal });
  const report = await scrub(opened, runtime, {
    signal,
    heal,
    after,
    rateBytes: rate,
    removeRemnants,
    onProgress: (progress) => {
      ({ position } = progress);
      tell(() => `${progress.objects} of ${progress.objectsAll} objects, ${formatSizeBytes(progress.bytes)} read`);
    },
  });
  const status = opened.status();
  if (report.open > 0 || leaves(status).some(({ state }) => state === 'away')) process.exitCode = 1;
  if (options.json === true) printJson({ ...report, status });
  else printReport(report, status);
}

function printReport({ findings, counts, objects, bytes, healed, open, unverified }: ScrubReport, status: LocationStatus): void {
  for (const finding of findings)
    printLine(`${finding.problem}${finding.healed ? ' (healed)' : ''}: ${finding.location} ${finding.key}: ${finding.message}`);
  const more = Object.values(counts).reduce((sum, count) => sum + count, 0) - findings.length;
  if (more > 0) printLine(`and ${more} more`);
  for (const { name, state, message, behindObjects, behindBytes } of leaves(status)) {
    const behind = behindObjects === 0 ? '' : `, ${behindObjects} objects (${formatSizeBytes(behindBytes)}) behind`;
    if (state !== 'ok' || behindObjects > 0) printLine(`${name} is ${state}${behind}${message === '' ? '' : `: ${message}`}`);
  }
  const unknown = unverified === 0 ? '' : `, ${unverified} of them with nothing to compare them with`;
  printLine(`${objects} objects${unknown}, ${formatSizeBytes(bytes)} read; problems: ${healed} healed, ${open} left`);
}

/** The stores themselves: what a location made of locations says of itself follows from them. */
function leaves(status: LocationStatus): LocationStatus[] {
  return status.parts.length === 0 ? [status] : status.parts.flatMap(leaves);
}

function interrupted(position: string): HoldfastError {
  return new HoldfastError('BACKUP_INTERRUPTED', 'the scrub was interrupted', {
    retryable: true,
    hint: position === '' ? 'The same command begins anew.' : `Go on with: --after ${position}`,
  });
}
