import type { Operation } from './model.ts';
import type { RegisterInput, RegisterOutput, RegisterValue } from './models/register.ts';

/** `INFO  jepsen.util - 3	:invoke	:cas	[1 2]`: process, type, function, value. */
const linePattern = /^INFO\s+jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(\S.*?)\s*$/;

/**
 * Reads a log of Jepsen's etcd test, one register under faults, as in https://github.com/anishathalye/porcupine. Order of lines is order of
 * time. A `fail` of a compare-and-swap says that it met another value; `info`, or no answer: nobody knows.
 * @throws Error naming the line
 */
export function parseJepsenLog(text: string): Operation<RegisterInput, RegisterOutput>[] {
  const operations: Operation<RegisterInput, RegisterOutput>[] = [];
  const open = new Map<string, { input: RegisterInput; call: number }>();
  const give = (process: string, output: RegisterOutput | undefined, at: number): void => {
    const asked = open.get(process);
    if (asked === undefined) throw new Error(`line ${at}: process ${process} answers what it was not asked`);
    open.delete(process);
    operations.push({ process, ...asked, output, return: output === undefined ? Infinity : at });
  };
  for (const [number, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [, process, type, f, value] = linePattern.exec(line) ?? [];
    if (process === undefined || f === undefined || value === undefined) throw new Error(`line ${number + 1} is not of Jepsen: ${line}`);
    if (type === 'invoke') {
      if (open.has(process)) throw new Error(`line ${number + 1}: process ${process} has not answered yet`);
      open.set(process, { input: inputOf(f, value, number + 1), call: number });
    } else if (type === 'info' || value === ':timed-out') give(process, undefined, number);
    else if (f === 'read') give(process, { value: valueOf(value, number + 1) }, number);
    else if (f === 'cas') give(process, { done: type === 'ok' }, number);
    else if (type === 'ok') give(process, {}, number);
    else open.delete(process);
  }
  for (const process of open.keys()) give(process, undefined, Infinity);
  return operations;
}

function inputOf(f: string, value: string, line: number): RegisterInput {
  if (f === 'read') return { f, key: '' };
  if (f === 'write') return { f, key: '', to: valueOf(value, line) };
  const [, from, to] = /^\[(\S+) (\S+)\]$/.exec(value) ?? [];
  if (from === undefined || to === undefined) throw new Error(`line ${line}: a compare-and-swap has two values, as [1 2], not ${value}`);
  return { f: 'cas', key: '', from: valueOf(from, line), to: valueOf(to, line) };
}

function valueOf(text: string, line: number): RegisterValue {
  if (text === 'nil') return null;
  if (!/^-?\d+$/.test(text)) throw new Error(`line ${line}: ${text} is no value`);
  return text;
}
