/** Of what a design is judged by, all as it is better when it is less. */
export interface Judged {
  readonly cost: number;
  readonly unavailability: number;
  /** Expected time of a recovery from copies. */
  readonly recoveryHours: number;
  readonly expectedLoss: number;
  /** Breaks ties. */
  readonly lossProbability: number;
}

/** The four of the front. */
const objectives = ['cost', 'unavailability', 'recoveryHours', 'expectedLoss'] as const;

/** Whether one is nowhere worse and somewhere better; of two that are the same in all four, the one that loses data less often is better. */
export function dominates(one: Judged, other: Judged): boolean {
  if (objectives.some((key) => one[key] > other[key])) return false;
  return objectives.some((key) => one[key] < other[key]) || one.lossProbability < other.lossProbability;
}

/** Those that no other dominates. In the order that they came in. */
export function paretoFront<T extends Judged>(designs: readonly T[]): T[] {
  // What dominates another does not cost more, so that looking back is enough; equal ones are kept together by sorting by all.
  const keys = [...objectives, 'lossProbability'] as const;
  const sorted = designs.toSorted((a, b) => keys.map((key) => a[key] - b[key]).find((difference) => difference !== 0) ?? 0);
  const front: T[] = [];
  for (const design of sorted) if (!front.some((other) => dominates(other, design))) front.push(design);
  const kept = new Set(front);
  return designs.filter((design) => kept.has(design));
}
