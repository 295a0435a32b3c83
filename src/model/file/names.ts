import type { Model } from './schema.ts';

/** The parts that a component stands for: itself, or `name.1`, `name.2` … of those that are counted. */
export function copiesOf(name: string, count: number | undefined): string[] {
  return count === undefined ? [name] : Array.from({ length: count }, (_, index) => `${name}.${index + 1}`);
}

/** What a name may mean: every part by its own, `name.*` for all copies of a component. */
export function namesOf(model: Model): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  for (const [name, { count }] of Object.entries(model.components ?? {})) {
    const copies = copiesOf(name, count);
    for (const copy of copies) names.set(copy, [copy]);
    if (count !== undefined) names.set(`${name}.*`, copies);
  }
  return names;
}
