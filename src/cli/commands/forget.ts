import { type Command, Option } from 'commander';
import type { ForgetGroup, GroupBy, KeepCount, KeepRules } from '../../backup/index.ts';
import { prune } from '../../backup/prune/prune.ts';
import { forgetByRules, forgetSnapshots } from '../../backup/retention/forget.ts';
import { parseCalendarSpan } from '../../backup/retention/stamp.ts';
import { hasCode, HoldfastError } from '../../core/errors.ts';
import { formatSizeBytes } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, type RepositoryOptions, type RepositorySession, withRepository } from '../repository/open.ts';
import { addFilterOptions, collectTags, filterOf, type FilterOptions, wholeNumber } from '../repository/options.ts';
import { printSnapshots, shortId, snapshotJson } from '../repository/print.ts';

const counts = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const spans = ['', 'Hourly', 'Daily', 'Weekly', 'Monthly', 'Yearly'] as const;

interface ForgetOptions extends RepositoryOptions, FilterOptions {
  readonly keepTag?: (readonly string[])[];
  readonly groupBy: GroupBy;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly allowRemoveAll?: boolean;
  readonly [rule: `keep${string}`]: unknown;
}

export function register(command: Command): void {
  addFilterOptions(addRepositoryOptions(command)).argument('[ids...]', 'snapshots to forget; without any, the rules choose');
  for (const kind of counts)
    command.option(`--keep-${kind} <n>`, kind === 'last' ? 'the last n, or "all"' : `the last of each of n (${kind})`, keepCount);
  for (const kind of spans) {
    const name = kind === '' ? 'within' : `within-${kind.toLowerCase()}`;
    command.option(
      `--keep-${name} <span>`,
      `${kind === '' ? 'all' : `${kind.toLowerCase()} ones`} of so long before the latest: 1y5m7d2h`,
      parseCalendarSpan,
    );
  }
  command
    .option('--keep-tag <tags>', 'all with these tags, as a,b (may be repeated)', collectTags)
    .addOption(
      new Option('-g, --group-by <what>', 'rules hold for each group: host, paths, tags, or none')
        .argParser(groupBy)
        .default({ host: true, paths: true }, 'host,paths'),
    )
    .option('-n, --dry-run', 'only tell what would be forgotten')
    .option('--prune', 'then remove what nothing needs any more')
    .option('--allow-remove-all', 'the rules may leave nothing of a group')
    .action(run);
}

async function run(ids: string[], options: ForgetOptions): Promise<void> {
  await withRepository(options, async (session) => {
    const { repository, runtime, signal } = session;
    if (ids.length > 0) await forgetIds(ids, options, session);
    else {
      const dryRun = options.dryRun ?? false;
      const chosen = {
        rules: rulesOf(options),
        groupBy: options.groupBy,
        filter: filterOf(options),
        mayRemoveAll: options.allowRemoveAll ?? false,
      };
      tell(await forgetByRules(repository, runtime, { ...chosen, dryRun, signal }), options);
    }
    if (options.prune !== true || options.dryRun === true) return;
    const { freedBytes } = await prune(repository, { signal });
    if (options.json !== true) printLine(`freed ${formatSizeBytes(freedBytes)}`);
  });
}

async function forgetIds(words: readonly string[], options: ForgetOptions, { repository, signal }: RepositorySession): Promise<void> {
  const ids = await Promise.all(words.map((word) => repository.snapshotId(word, { signal })));
  // Of a damaged one nothing is known but its id.
  const known = await Promise.all(
    ids.map((id) =>
      repository.snapshot(id, { signal }).catch((error: unknown) => {
        if (!hasCode(error, 'BACKUP_DAMAGED')) throw error;
      }),
    ),
  );
  if (options.dryRun !== true) await forgetSnapshots(repository, ids, { signal });
  if (options.json === true) printJson({ removed: ids.map((id, at) => (known[at] === undefined ? { id } : snapshotJson(known[at]))) });
  else printLine(`${options.dryRun === true ? 'would forget' : 'forgot'} ${ids.map(shortId).join(', ')}`);
}

function tell(groups: readonly ForgetGroup[], options: ForgetOptions): void {
  if (options.json === true) {
    const json = groups.map(({ key, keep, remove }) => ({
      ...key,
      keep: keep.map(({ snapshot, reasons }) => ({ ...snapshotJson(snapshot), reasons })),
      remove: remove.map(snapshotJson),
    }));
    return printJson(json);
  }
  for (const { key, keep, remove } of groups) {
    printLine([key.host, ...key.paths, ...key.tags].join(' '));
    printLine(`keep ${keep.length}:`);
    printSnapshots(keep.map(({ snapshot, reasons }) => ({ snapshot, note: reasons.join(', ') })));
    if (remove.length === 0) continue;
    printLine(`${options.dryRun === true ? 'would forget' : 'forgot'} ${remove.length}:`);
    printSnapshots(remove.map((snapshot) => ({ snapshot })));
  }
}

function rulesOf(options: ForgetOptions): KeepRules {
  const rules: Record<string, unknown> = {};
  for (const kind of counts) rules[kind] = options[`keep${kind[0]!.toUpperCase()}${kind.slice(1)}`];
  for (const kind of spans) rules[`within${kind}`] = options[`keepWithin${kind}`];
  rules['tags'] = options.keepTag;
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

function keepCount(text: string): KeepCount {
  return text === 'all' ? 'all' : wholeNumber(text);
}

function groupBy(text: string): GroupBy {
  const words = text === 'none' ? [] : text.split(',').map((word) => word.trim().replace(/s$/, ''));
  const unknown = words.find((word) => !['host', 'path', 'tag'].includes(word));
  if (unknown !== undefined)
    throw new HoldfastError('CLI_USAGE', `snapshots can not be grouped by "${unknown}"`, { hint: 'host, paths, tags, or none' });
  return { host: words.includes('host'), paths: words.includes('path'), tags: words.includes('tag') };
}
