/** `ok`: as it should be; `warn`: works, but will hurt some day; `fail`: will not work, or not be safe. */
export type Level = 'ok' | 'warn' | 'fail';

/** One thing that was looked at. */
export interface Finding {
  readonly area: string;
  readonly level: Level;
  readonly message: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

/** Makes the findings of one area. */
export function findingsOf(area: string) {
  return {
    ok: (message: string): Finding => ({ area, level: 'ok', message, hint: '' }),
    warn: (message: string, hint: string): Finding => ({ area, level: 'warn', message, hint }),
    fail: (message: string, hint: string): Finding => ({ area, level: 'fail', message, hint }),
  };
}
