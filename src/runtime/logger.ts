import { openSync } from 'node:fs';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { HoldfastError, messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { redact } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  /** Least level written. Default: info. */
  readonly level?: LogLevel;
  /** Appended to, created with mode 0640. Absent: standard error. */
  readonly file?: string;
}

/** A logger that holds what it has not yet written; disposing of it writes that. */
export interface OpenLogger extends AsyncDisposable {
  readonly logger: Logger;
}

/** What waits for a slow disk or reader before further lines are dropped: writing a log must never stop the agent. */
const waitingBytesMax = 4 * 1024 * 1024;
/** How long disposal tries to write the rest. */
const flushMsMax = 1_000;

/**
 * Lines of JSON: `{"level":"info","time":"…Z","event":"domain.thing.happened",…fields}`. Secrets are hidden (see redact.ts).
 * @throws LOG_NOT_WRITABLE
 */
export function openLogger(options: LoggerOptions = {}): OpenLogger {
  const file = options.file === undefined ? undefined : openLogFile(options.file);
  const destination = pino.destination({ dest: file ?? 2, sync: false, maxLength: waitingBytesMax });
  // A full disk or a closed pipe: nowhere is left to report it.
  destination.on('error', () => {});
  let closed = false;
  // What is logged after the end has nowhere to go; it must not throw either.
  const sink = createPino(options.level ?? 'info', { write: (line) => closed || destination.write(line) });
  return {
    logger: wrap(sink),
    [Symbol.asyncDispose]: async () => {
      if (closed) return;
      closed = true;
      const written = new Promise<void>((resolve) => destination.once('close', resolve));
      destination.end();
      await Promise.race([written, new Promise<void>((resolve) => setTimeout(resolve, flushMsMax).unref())]);
    },
  };
}

function createPino(level: LogLevel, destination: DestinationStream): PinoLogger {
  const options = {
    level,
    base: null,
    messageKey: 'event',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination);
}

function wrap(sink: PinoLogger): Logger {
  return {
    debug: (event, fields = {}) => sink.isLevelEnabled('debug') && sink.debug(redact(fields), event),
    info: (event, fields = {}) => sink.isLevelEnabled('info') && sink.info(redact(fields), event),
    warn: (event, fields = {}) => sink.isLevelEnabled('warn') && sink.warn(redact(fields), event),
    error: (event, fields = {}) => sink.isLevelEnabled('error') && sink.error(redact(fields), event),
    child: (fields) => wrap(sink.child(redact(fields))),
  };
}

function openLogFile(path: string): number {
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    throw new HoldfastError('LOG_NOT_WRITABLE', `the log file '${path}' can not be written: ${messageOf(error)}`, {
      hint: 'Name a file in a directory that exists and that this user may write to.',
      cause: error,
    });
  }
}
