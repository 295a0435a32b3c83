import { type Command, InvalidArgumentError } from 'commander';
import { messageOf } from '../../core/errors.ts';
import { parseDurationMs } from '../../core/units.ts';
import { createClock } from '../../runtime/clock.ts';
import { printJson, printLine } from '../print.ts';
import { findRemote } from '../remote/addresses.ts';
import { addRemoteOptions, reachAgent, type RemoteCommandOptions } from '../remote/options.ts';
import { isHealthy, statusLines } from '../status/view.ts';
import { watchChanges, watchScreen, type WatchOptions } from '../status/watch.ts';
import { paintFor, visible } from '../terminal/style.ts';

interface StatusOptions extends RemoteCommandOptions {
  readonly watch?: boolean;
  readonly interval: number;
}

export function register(command: Command): void {
  addRemoteOptions(command);
  command
    .option('-w, --watch', 'show it again and again, and what changes; q quits. Without a terminal: a line for each change')
    .option('--interval <duration>', 'how often to look', interval, 1_000)
    .addHelpText(
      'after',
      '\nExit code: 0 when every service has a leader and nothing needs attention, else 1; with --watch that of the last look.',
    )
    .action(run);
}

async function run(options: StatusOptions): Promise<void> {
  const isWell = await (options.watch === true ? watch(options) : show(options));
  process.exitCode = isWell ? 0 : 1;
}

async function show(options: StatusOptions): Promise<boolean> {
  await using agent = await reachAgent(options);
  if (options.json === true) printJson(agent.status);
  else for (const line of statusLines(agent.status, { paint: paintFor(process.stdout), ...widthOf(process.stdout) })) printLine(line);
  return isHealthy(agent.status);
}

async function watch(options: StatusOptions): Promise<boolean> {
  const looking: WatchOptions = { remote: findRemote(options), clock: createClock(), intervalMs: options.interval };
  const { stdin: input, stdout: out } = process;
  if (out.isTTY && input.isTTY && options.json !== true) return watchScreen(looking, { out, input, paint: paintFor(out) });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  return watchChanges(looking, stop.signal, (look, changes) => {
    if (options.json === true)
      return void process.stdout.write(`${JSON.stringify('status' in look ? look.status : { problem: look.problem })}\n`);
    const stamp = new Date(looking.clock.wallMs()).toISOString();
    if ('problem' in look) printLine(`${stamp}  ${visible(look.problem)}`);
    else if (changes.length > 0) for (const change of changes) printLine(`${stamp}  ${visible(change)}`);
    else for (const line of statusLines(look.status, { paint: paintFor(out) })) printLine(line);
  });
}

function widthOf(stream: { columns?: number }): { width?: number } {
  return stream.columns === undefined ? {} : { width: stream.columns };
}

function interval(text: string): number {
  try {
    const ms = parseDurationMs(text);
    if (ms >= 100 && ms <= 3_600_000) return ms;
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
  throw new InvalidArgumentError('It must be from 100ms to 1h.');
}
