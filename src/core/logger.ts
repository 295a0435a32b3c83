/** Fields of a log line. Never a secret; values are JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: a constant event name `domain.thing.happened`, with the data in fields. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
