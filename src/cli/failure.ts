import { CommanderError } from 'commander';
import { HoldfastError, messageOf } from '../core/errors.ts';

/** An error as people and machines get to see it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
  /** 1: the answer is no, or it did not work; 2: wrong usage or configuration. */
  readonly exitCode: 1 | 2;
  /** What exactly, for machines, where the error knows: each problem of a configuration file. */
  readonly problems?: readonly unknown[];
}

/** Codes, or beginnings of codes, which mean that somebody has to change what was asked for or configured. */
const usageCodes = [
  'CLI_',
  'SERVE_',
  'CONFIG_',
  'UNIT_',
  'LISTEN_',
  'ROUTER_PORT_IN_USE',
  'ROUTER_ADDRESS_UNUSABLE',
  'MODEL_METHOD_UNFIT',
  'COORD_BAD_KEY',
  'COORD_TTL_TOO_SHORT',
  'COORD_UNSUITABLE',
  'ENGINE_UNSUITABLE',
  'AGENT_NO_ACCOUNT',
];

/** What to print for anything thrown; only the exit code when commander has printed all there is to say (help, version). */
export function failureOf(error: unknown): Failure | 0 | 2 {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    return error.code === 'commander.help' ? 2 : usageFailure(error);
  }
  if (error instanceof HoldfastError) {
    const { code, message, hint, retryable } = error;
    const exitCode = usageCodes.some((one) => code.startsWith(one)) ? 2 : 1;
    return {
      code,
      message,
      hint,
      retryable,
      exitCode,
      ...('problems' in error && Array.isArray(error.problems) ? { problems: error.problems } : {}),
    };
  }
  const hint = process.env['HOLDFAST_DEBUG']
    ? ''
    : 'This is a fault in Holdfast. Set HOLDFAST_DEBUG=1 to see where it happened, and report it.';
  return { code: 'INTERNAL', message: messageOf(error), hint, retryable: false, exitCode: 1 };
}

/** Commander's texts are `error: what\n(Did you mean x?)`. */
function usageFailure(error: CommanderError): Failure {
  const [what = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest
    .join(' ')
    .trim()
    .replace(/^\((.*)\)$/, '$1');
  return { code: 'CLI_USAGE', message: what, hint: suggestion || 'See holdfast --help.', retryable: false, exitCode: 2 };
}

/** Text for people: the failure and what to do next. */
export function describeFailure(failure: Failure): string {
  const [what, ...details] = failure.message.split('\n');
  return [`error: ${what} (${failure.code})`, ...details, ...(failure.hint ? [`hint: ${failure.hint}`] : []), ''].join('\n');
}

/** One JSON document, in the shape of the API's errors. */
export function failureJson(failure: Failure): string {
  const { exitCode: _, ...error } = failure;
  return `${JSON.stringify({ error })}\n`;
}
