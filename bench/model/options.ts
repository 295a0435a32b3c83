import { parseArgs } from 'node:util';

export const help = `npm run bench -- model [options]

How long the mathematics takes: processor time of this process and its workers, and memory.

  --rounds N    of each, with other numbers every time (3)
  --seed N      of the first round (1)
  --only TEXT   what has TEXT in its title (all)
  --json FILE   all raw values`;

export interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly only: string;
  readonly json: string | undefined;
}

/** Undefined: help was asked for. @throws an Error that says what is wrong */
export function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      rounds: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      json: { type: 'string' },
    },
  });
  if (values.help === true) return undefined;
  const whole = (name: 'rounds' | 'seed'): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: '${values[name]}' is no positive whole number`);
    return value;
  };
  return { rounds: whole('rounds'), seed: whole('seed'), only: values.only, json: values.json };
}
