import { z } from 'zod';
import type { Requirements } from './schema.ts';
import { requirementsSchema } from './schema.ts';

/** Keys from the top of the file to a number that may turn out otherwise. */
export type InputPath = readonly string[];

/** What people guess: money, times, rates, sizes. Not what they want (`needs`), nor what is searched. */
const uncertain = ['data', 'worth', 'team', 'catalogue'] as const;

/** All numbers above 0 that what a design is worth depends on. */
export function uncertainInputs(input: Requirements): InputPath[] {
  const found: InputPath[] = [];
  const visit = (value: unknown, path: InputPath): void => {
    if (typeof value === 'number' && value > 0) found.push(path);
    // Numbers of lists and of ways to combine copies are what designs are made of.
    if (typeof value !== 'object' || value === null || Array.isArray(value) || path.join('.') === 'catalogue.copies') return;
    for (const [key, each] of Object.entries(value)) visit(each, [...path, key]);
  };
  for (const key of uncertain) visit(input[key], [key]);
  return found;
}

export function valueAt(input: unknown, path: InputPath): unknown {
  return path.reduce((value, key) => (value as Readonly<Record<string, unknown>>)[key], input);
}

/** The same input with one number multiplied; what is a share or a probability stays below 1. */
export function scaledInput(input: Requirements, path: InputPath, factor: number): Requirements {
  const change = (value: unknown, [key, ...rest]: InputPath): unknown =>
    key === undefined
      ? (value as number) * factor
      : { ...(value as object), [key]: change((value as Readonly<Record<string, unknown>>)[key], rest) };
  return change(input, path) as Requirements;
}

/** How far a number may be multiplied and still be one of its kind. */
export function factorMax(input: Requirements, path: InputPath): number {
  const name = path.at(-1)!;
  return name === 'loss' || name === 'lost' || name === 'afr' ? 0.999 / (valueAt(input, path) as number) : Infinity;
}

/** A number as the file has it: `2000/h`, `0.25h`. */
export function writtenAt(input: Requirements, path: InputPath): string {
  return String(valueAt(z.encode(requirementsSchema, input), path));
}
