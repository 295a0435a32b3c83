import { type Command, InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../../core/units.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { CommonOptions } from '../command.ts';

/** What `lock` and `elect` have in common. */
export interface HoldingOptions extends CommonOptions {
  readonly ttl: number;
  readonly wait?: number;
  readonly grace?: number;
  readonly coordination?: string;
  readonly config?: string;
}

/** More than this share of the TTL a command can not get to stop: renewals need the rest. */
const graceShareMax = 0.4;
const graceShareDefault = 0.2;
/** Exit code when the hold was lost: EX_TEMPFAIL of sysexits(3), "try again later". */
export const exitCodeLost = 75;

export function addHoldingOptions(command: Command, what: string): void {
  command
    .argument('<name>', `name of the ${what}`)
    .argument('<command...>', 'what to run, after --')
    .option('--ttl <duration>', 'how long the store waits for a holder that died', duration, 10_000)
    .option('--wait <duration>', 'how long to wait at most; 0s: not at all (default: for ever)', duration)
    .option('--grace <duration>', 'how long the command may take to stop before it is killed (default: a fifth of --ttl)', duration)
    .option('--coordination <store>', 'embedded:PATH, etcd:URL[,URL…] or zookeeper:HOST:PORT[,HOST:PORT…]')
    .option('--config <file>', 'use the store of this configuration (default: as `holdfast config check` finds it)')
    .addHelpText('after', help);
}

const help = `
The command gets HOLDFAST_TOKEN, a number that grows with every holder of this name: what the command changes should refuse a lower one
than it has seen. It gets HOLDFAST_NAME too, and the signals INT, TERM, HUP, QUIT, USR1 and USR2. It runs in a session of its own; what it
leaves running is stopped with it. When the hold is about to be lost it gets SIGTERM, and SIGKILL before anybody else can hold.

Exit code: that of the command, 128 + n when signal n ended it; 1: not acquired within --wait; ${exitCodeLost}: the hold was lost and the
command stopped; 126, 127: the command can not be run or is not there; 2: wrong usage.`;

/** How long before the end of the hold's validity the command is asked to stop. @throws CLI_USAGE */
export function graceOf(options: HoldingOptions): number {
  const graceMs = options.grace ?? options.ttl * graceShareDefault;
  const mostMs = options.ttl * graceShareMax;
  if (graceMs <= mostMs) return graceMs;
  throw new HoldfastError('CLI_USAGE', `--grace ${graceMs}ms is too long for --ttl ${options.ttl}ms: at most ${mostMs}ms`, {
    hint: 'Give a longer --ttl: the command must have stopped before the hold can be somebody else’s.',
  });
}

function duration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
