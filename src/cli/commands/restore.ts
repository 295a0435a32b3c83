import { resolve } from 'node:path';
import type { Command } from 'commander';
import { restoreService, type Restored, type RestoreStep } from '../../agent/copies/restore.ts';
import { findConfig, loadForCopies } from '../../config/load.ts';
import { HoldfastError } from '../../core/errors.ts';
import { formatLsn } from '../../core/lsn.ts';
import { readTarget, type TargetOptions } from '../../core/read-target.ts';
import { formatDurationMs, formatSizeBytes } from '../../core/units.ts';
import { createRuntime } from '../../runtime/index.ts';
import type { CommonOptions } from '../command.ts';
import { printJson, printLine } from '../print.ts';
import { collect } from '../repository/options.ts';

interface RestoreOptions extends CommonOptions, TargetOptions {
  readonly config?: string;
  readonly target: string;
  readonly timeline?: string;
  readonly system?: string;
  readonly from?: string;
  readonly bin?: string;
  readonly tablespace?: readonly string[];
  readonly overwrite?: boolean;
}

const progressMs = 1_000;

export function register(command: Command): void {
  command
    .argument('<service>', 'whose copies are restored')
    .requiredOption('-t, --target <directory>', 'where its data directory is made; must be empty or absent')
    .option('--to <time>', "latest, or a time: '2026-11-22 14:03:07' of this machine, 2026-11-22T14:03:07Z", 'latest')
    .option('--to-lsn <lsn>', 'up to and with the transaction at this LSN')
    .option('--to-name <name>', 'a restore point made with pg_create_restore_point')
    .option('--timeline <number>', 'along which timeline; the newest stored when left out')
    .option('--system <identifier>', 'which database, where several had this name')
    .option('--from <location>', 'another location than the one of its backup, such as one that is left of a mirror')
    .option('--bin <directory>', "PostgreSQL's programs; those of the service in the configuration, or the embedded ones, when left out")
    .option(
      '--tablespace <name=directory>',
      'where a tablespace is to be, by its name, number or old place; otherwise where it was. Its directory must be empty or absent',
      collect,
    )
    .option('--overwrite', 'the target may hold something: only what differs is written, what is not in the copy is removed')
    .option('-c, --config <file>', 'configuration: it names the locations (default: holdfast.yaml, /etc/holdfast/holdfast.yaml)')
    .addHelpText(
      'after',
      `
Needs the configuration, the copies and their password: no agent, no other node. Says before it writes whether the point can be reached.
What is restored is recovered, verified and left stopped: start it with postgres -D DIRECTORY, or name the directory as a member's data.`,
    )
    .action(restore);
}

async function restore(service: string, options: RestoreOptions): Promise<void> {
  const { to, ...rest } = options;
  const isOther = rest.toLsn !== undefined || rest.toName !== undefined;
  const target = readTarget({ ...rest, ...(to !== undefined && !(isOther && to === 'latest') && { to }) });
  const timeline = options.timeline === undefined ? undefined : readTimeline(options.timeline);
  const config = loadForCopies(findConfig(options.config));
  await using runtime = createRuntime({ log: { level: 'error' } });
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(interrupted()));
  let toldMs = -Infinity;
  const onStep = (step: RestoreStep): void => {
    const now = runtime.clock.monotonicMs();
    if (options.json === true || (step.step !== 'planned' && now - toldMs < progressMs)) return;
    toldMs = now;
    process.stderr.write(`${stepText(step)}\n`);
  };
  const restored = await restoreService(config, runtime, {
    service,
    target,
    directory: resolve(options.target),
    overwrite: options.overwrite === true,
    ...(timeline === undefined ? {} : { timeline }),
    ...(options.system === undefined ? {} : { systemId: options.system }),
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.bin === undefined ? {} : { bin: resolve(options.bin) }),
    tablespaces: readTablespaces(options.tablespace ?? []),
    onStep,
    signal: stop.signal,
  });
  if (options.json === true) printJson(documentOf(restored));
  else for (const line of textOf(restored)) printLine(line);
}

function stepText(step: RestoreStep): string {
  switch (step.step) {
    case 'planned': {
      const { base, timeline, reached } = step.plan;
      return `base backup of ${iso(base.facts.endMs)}, then WAL of timeline ${timeline}, stored up to ${formatLsn(reached.lsn)}`;
    }
    case 'restoring':
      return `restoring: ${formatSizeBytes(step.writtenBytes)} written of ${formatSizeBytes(step.totalBytes)}`;
    case 'recovering':
      return `recovering: ${step.segments} files of WAL${step.lsn === undefined ? '' : `, at ${formatLsn(step.lsn)}`}`;
  }
}

function documentOf({ base, recovered, ...rest }: Restored): object {
  return {
    ...rest,
    snapshot: base.snapshotId,
    systemId: base.facts.systemId,
    version: base.facts.version,
    timeline: recovered.timeline,
    lsn: formatLsn(recovered.lsn),
    lastTransaction: recovered.lastTransactionMs === undefined ? null : iso(recovered.lastTransactionMs),
    walFiles: recovered.segments,
    recoveryMs: Math.round(recovered.tookMs),
    verified: true,
  };
}

function textOf({ directory, base, recovered, files, verifiedFiles, rtaMs }: Restored): string[] {
  const last =
    recovered.lastTransactionMs === undefined
      ? 'no transaction was replayed'
      : `the last transaction is of ${iso(recovered.lastTransactionMs)}`;
  return [
    `${base.facts.service} is in ${directory}, at ${formatLsn(recovered.lsn)}: ${last}.`,
    `${files} files, ${verifiedFiles} read back and right; ${recovered.segments} files of WAL replayed; a timeline of its own, ${recovered.timeline}. It took ${formatDurationMs(rtaMs)}.`,
  ];
}

/** The last `=` parts them: a place may hold one. */
function readTablespaces(options: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    options.map((text) => {
      const at = text.lastIndexOf('=');
      if (at < 1 || at === text.length - 1)
        throw new HoldfastError('CLI_BAD_TARGET', `'${text}' does not say where a tablespace is to be: NAME=DIRECTORY`);
      return [text.slice(0, at), resolve(text.slice(at + 1))] as const;
    }),
  );
}

function readTimeline(text: string): number {
  const timeline = Number(text);
  if (/^\d{1,10}$/.test(text) && timeline > 0 && timeline < 2 ** 32) return timeline;
  throw new HoldfastError('CLI_BAD_TARGET', `'${text}' is no timeline: a whole number from 1 on`);
}

function interrupted(): HoldfastError {
  return new HoldfastError('BACKUP_INTERRUPTED', 'the restore was interrupted', {
    retryable: true,
    hint: 'The same command goes on where it was; with --overwrite, when it had begun with tablespaces or to replay WAL.',
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
