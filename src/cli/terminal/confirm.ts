import { createInterface } from 'node:readline/promises';
import { HoldfastError } from '../../core/errors.ts';

/** Whether somebody is there to answer. */
export function canAsk(options: { readonly json?: boolean }): boolean {
  return process.stdin.isTTY && process.stderr.isTTY && options.json !== true;
}

/**
 * Before something is destroyed: what is to happen is said, and must be confirmed by typing `word`. Where nobody can answer, only --yes will do.
 * @throws CLI_NOT_CONFIRMED, ORDER_DECLINED
 */
export async function requireTyped(
  word: string,
  what: string,
  options: { readonly json?: boolean; readonly yes?: boolean },
): Promise<void> {
  if (options.yes === true) return;
  if (!canAsk(options)) {
    throw new HoldfastError('CLI_NOT_CONFIRMED', `nobody confirmed this: ${what}`, { hint: 'Add --yes when it is what you want.' });
  }
  const answer = await ask(`${what}\nType ${word} to go on: `);
  if (answer !== word) throw declined(`Type ${word}, or add --yes.`);
}

/**
 * Before something is interrupted: whoever sits there is asked; a script, which nobody watches, is not.
 * @throws ORDER_DECLINED
 */
export async function requireConsent(what: string, options: { readonly json?: boolean; readonly yes?: boolean }): Promise<void> {
  if (options.yes === true || !canAsk(options)) return;
  const answer = await ask(`${what} Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer)) throw declined('Answer y, or add --yes.');
}

/** On standard error: standard output is for the result. */
async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new AbortController();
  lines.once('close', () => ended.abort());
  lines.once('SIGINT', () => lines.close());
  try {
    return (await lines.question(question, { signal: ended.signal })).trim();
  } catch {
    process.stderr.write('\n');
    return '';
  } finally {
    lines.close();
  }
}

function declined(hint: string): HoldfastError {
  return new HoldfastError('ORDER_DECLINED', 'nothing was done', { hint });
}
