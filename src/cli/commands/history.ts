import type { Command } from 'commander';
import type { ClusterStatus, HistoryEntry } from '../../api/schema.ts';
import { HoldfastError } from '../../core/errors.ts';
import { formatDurationMs } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { findService } from '../remote/order.ts';
import { addRemoteOptions, reachAgent, type RemoteCommandOptions } from '../remote/options.ts';
import { paintFor } from '../terminal/style.ts';
import { tableLines, type Column } from '../terminal/table.ts';

export function register(command: Command): void {
  addRemoteOptions(command);
  command.argument('[service]', 'as in holdfast.yaml; may be left out where there is only one').action(run);
}

async function run(named: string | undefined, options: RemoteCommandOptions): Promise<void> {
  await using agent = await reachAgent(options);
  const entries = await agent.client.history(serviceMeant(agent.status, named));
  if (options.json === true) return printJson(entries);
  if (entries.length === 0) return printLine('Nobody has led it yet.');
  for (const line of historyLines(entries)) printLine(line);
}

function serviceMeant(status: ClusterStatus, named: string | undefined): string {
  if (named !== undefined) return findService(status, named).service;
  const names = status.services.map((service) => service.service);
  if (names.length === 1) return names[0]!;
  throw new HoldfastError('CLI_USAGE', 'the service is missing', { hint: `Name one of ${names.join(', ') || '… this agent has none'}.` });
}

const columns: readonly Column[] = [
  { heading: 'TERM', align: 'right' },
  { heading: 'LEADER' },
  { heading: 'SINCE' },
  { heading: 'WHY' },
  { heading: 'TOOK', align: 'right' },
  { heading: 'TL', align: 'right', dispensable: 1 },
  { heading: 'SWITCH LSN', align: 'right', dispensable: 2 },
];

function historyLines(entries: readonly HistoryEntry[]): string[] {
  const rows = entries.map((entry) =>
    [
      String(entry.term),
      entry.leader,
      entry.at,
      entry.why,
      entry.tookMs === undefined ? '' : formatDurationMs(entry.tookMs),
      String(entry.timeline ?? ''),
      entry.switchLsn ?? '',
    ].map((text) => ({ text })),
  );
  return tableLines(columns, rows, paintFor(process.stdout), process.stdout.columns ?? Infinity);
}
