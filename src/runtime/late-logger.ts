import type { LogFields, Logger } from '../core/logger.ts';
import type { LogLevel, OpenLogger } from './logger.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;

/** Writes to standard error as `openLogger` does. What it is written with is loaded for the first line: most commands have nothing to say. */
export function openLateLogger(least: Exclude<LogLevel, 'silent'>): OpenLogger {
  let opening: Promise<OpenLogger> | undefined;
  const open = async (): Promise<OpenLogger> => (await import('./logger.ts')).openLogger({ level: least });

  /** Lines keep their order: each waits for the same promise. */
  const loggerWith = (find: (opened: Logger) => Logger): Logger => {
    const lineAt = (level: (typeof levels)[number]) => (event: string, fields?: LogFields) => {
      if (levels.indexOf(level) >= levels.indexOf(least))
        void (opening ??= open()).then(({ logger }) => find(logger)[level](event, fields));
    };
    return {
      debug: lineAt('debug'),
      info: lineAt('info'),
      warn: lineAt('warn'),
      error: lineAt('error'),
      child: (fields) => loggerWith((opened) => find(opened).child(fields)),
    };
  };
  return {
    logger: loggerWith((opened) => opened),
    [Symbol.asyncDispose]: async () => (await opening)?.[Symbol.asyncDispose](),
  };
}
