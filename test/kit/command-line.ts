import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What was typed makes no sense. */
export class UsageError extends Error {}

const wrongUsage = 2;

/**
 * Reads what was typed and runs it; says what is wrong with it, or how it is to be used, instead.
 * @returns the exit code
 */
export async function runCommand<Wanted extends { readonly help: boolean }>(
  args: readonly string[],
  { usage, read, run }: { usage: string; read: (args: readonly string[]) => Wanted; run: (wanted: Wanted) => number | Promise<number> },
): Promise<number> {
  let wanted: Wanted;
  try {
    wanted = read(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`error: ${error.message}\n\n${usage}`);
    return wrongUsage;
  }
  if (!wanted.help) return await run(wanted);
  process.stdout.write(usage);
  return 0;
}

/** Options only, no unknown ones, no bare words. @throws UsageError */
export function parseOptions<Options extends NonNullable<ParseArgsConfig['options']>>(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The value of `--name`, within limits that are inclusive; undefined when it was not given. @throws UsageError */
export function numberOption(
  name: string,
  text: string | undefined,
  limits: { readonly min: number; readonly max: number; readonly fractions?: true },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  const pattern = limits.fractions ? /^\d+(\.\d+)?$/ : /^\d+$/;
  if (pattern.test(text) && value >= limits.min && value <= limits.max) return value;
  throw new UsageError(`--${name} must be a ${limits.fractions ? '' : 'whole '}number from ${limits.min} to ${limits.max}, not "${text}"`);
}
