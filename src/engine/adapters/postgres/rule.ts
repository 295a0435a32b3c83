import type { Acknowledgement } from '../../engine.ts';

/** A standby of this name can not exist: names of nodes have no spaces. */
const nobody = 'holdfast nobody';

/** Commits wait for ever. What a replica has, so that it acknowledges nothing, should it become a primary before it has its rule. */
export const nobodyRule = `FIRST 1 (${quote(nobody)})`;

/**
 * synchronous_standby_names for an acknowledgement; '' when commits wait for nobody. Fewer voters than `k` can not be written as such,
 * so nobody fills the list: commits then wait until there is another rule.
 */
export function renderRule(acknowledge: Acknowledgement | null): string {
  if (acknowledge === null || acknowledge.k === 0) return '';
  const { k, voters } = acknowledge;
  for (const voter of voters) {
    // The comparison there ignores case, '*' is everyone, and names are cut at 63 bytes.
    if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(voter)) throw new RangeError(`'${voter}' can not be the name of a voter`);
  }
  const missing = Math.max(0, k - voters.length);
  return `ANY ${k} (${[...voters, ...Array.from({ length: missing }, () => nobody)].map(quote).join(', ')})`;
}

/** Nobody at all is enough, and every voter gets a priority of 2 or more: see acknowledge.ts. */
export function renderTransition(voters: readonly string[]): string {
  return `FIRST ${voters.length + 1} (${[nobody, ...voters].map(quote).join(', ')})`;
}

/** The inverse of `renderRule`; undefined for a rule that is none of ours, or that nobody can satisfy. */
export function parseRule(rule: string): Acknowledgement | null | undefined {
  if (rule === '') return null;
  const [, k, list] = /^ANY (\d{1,3}) \(((?:"[^"]+"(?:, )?)+)\)$/.exec(rule) ?? [];
  if (k === undefined || list === undefined) return undefined;
  const voters = [...list.matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
  return { k: Number(k), voters: voters.filter((voter) => voter !== nobody) };
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
