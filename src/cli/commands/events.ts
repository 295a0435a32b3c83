import type { Command } from 'commander';
import type { AgentEvent } from '../../api/schema.ts';
import { createClock } from '../../runtime/clock.ts';
import { printLine } from '../print.ts';
import { findRemote } from '../remote/addresses.ts';
import { followAll } from '../remote/follow.ts';
import { addRemoteOptions, type RemoteCommandOptions } from '../remote/options.ts';
import { paintFor, visible } from '../terminal/style.ts';

export function register(command: Command): void {
  addRemoteOptions(command);
  command.addHelpText('after', '\nFollows all agents of the cluster until it is interrupted. With --json one document a line.').action(run);
}

async function run(options: RemoteCommandOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  const paint = paintFor(process.stdout);
  const print = (event: AgentEvent): void => {
    if (options.json === true) return void process.stdout.write(`${JSON.stringify(event)}\n`);
    const details = Object.entries(event.data).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    printLine(
      [
        paint(event.at, 'dim'),
        visible(event.node),
        visible(event.service ?? '-'),
        paint(visible(event.kind), 'strong'),
        visible(details.join(' ')),
      ]
        .join('  ')
        .trimEnd(),
    );
  };
  const tell = (line: string): void => void process.stderr.write(`${visible(line)}\n`);
  await followAll(findRemote(options), createClock(), stop.signal, { onEvent: print, onNotice: tell });
}
