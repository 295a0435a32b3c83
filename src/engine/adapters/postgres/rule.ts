import type { Acknowledgement } from '../../engine.ts';

/** A standby of this name can not exist: names of nodes have no spaces. */
const nobody = 'holdfast nobody';
const seatPrefix = 'holdfast journal ';

/** Commits wait for ever. What a replica has, so that it acknowledges nothing, should it become a primary before it has its rule. */
export const nobodyRule = `FIRST 1 (${quote(nobody)})`;

/** The journal as a standby, in one of its connections: its seats are counted from 1 on. With a space in it the name can not be a voter's. */
export function seatName(seat: number): string {
  return `${seatPrefix}${seat}`;
}

/** How many seats the journal has where `others` can be voters: enough for each of their acknowledgements. */
export function seatsBeside(others: number): number {
  return Math.max(1, others);
}

/**
 * synchronous_standby_names for an acknowledgement; '' when commits wait for nobody. Fewer voters than `k` can not be written as such,
 * so nobody fills the list: commits then wait until there is another rule.
 *
 * PostgreSQL has no "k of these, and that one". Weights say it (Gifford, Weighted Voting for Replicated Data, SOSP 1979): of n voters the journal
 * outweighs the n − k that need not agree, with w = n − k + 1 seats, each a connection of its own, and k + w agree. Without the journal there are
 * at most n < k + w; with any of its seats, at least k voters are left to agree, as no more than w seats are named. A seat confirms only what the
 * journal has made durable, and is one connection at most: it holds a slot (wal-seats.ts).
 */
export function renderRule(acknowledge: Acknowledgement | null, journal: 'waits for the journal' | 'no journal' = 'no journal'): string {
  const { k, voters } = acknowledge ?? { k: 0, voters: [] };
  if (journal === 'no journal' && k === 0) return '';
  for (const voter of voters) {
    // The comparison there ignores case, '*' is everyone, and names are cut at 63 bytes.
    if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(voter)) throw new RangeError(`'${voter}' can not be the name of a voter`);
  }
  const missing = Math.max(0, k - voters.length);
  const named = k === 0 ? [] : [...voters, ...Array.from({ length: missing }, () => nobody)];
  const seats = journal === 'no journal' ? 0 : named.length - k + 1;
  const names = [...named, ...Array.from({ length: seats }, (_, index) => seatName(index + 1))];
  return `ANY ${k + seats} (${names.map(quote).join(', ')})`;
}

/** Nobody at all is enough, and every voter gets a priority of 2 or more: see acknowledge.ts. */
export function renderTransition(voters: readonly string[]): string {
  return `FIRST ${voters.length + 1} (${[nobody, ...voters].map(quote).join(', ')})`;
}

/** The inverse of `renderRule`, but for the journal; undefined for a rule that is none of ours, or that nobody can satisfy. */
export function parseRule(rule: string): Acknowledgement | null | undefined {
  if (rule === '') return null;
  const [, count, list] = /^ANY (\d{1,3}) \(((?:"[^"]+"(?:, )?)+)\)$/.exec(rule) ?? [];
  if (count === undefined || list === undefined) return undefined;
  const names = [...list.matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
  const others = names.filter((name) => !name.startsWith(seatPrefix));
  const k = Number(count) - (names.length - others.length);
  return k === 0 ? null : { k, voters: others.filter((voter) => voter !== nobody) };
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
