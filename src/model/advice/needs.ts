import type { Evaluated } from './evaluate.ts';
import { disasterRates, disasters } from './keeping.ts';
import { quantileHours, recoveryAfter } from './restoring.ts';
import type { Requirements } from './schema.ts';

/** A need that a file may state, and how much of it a design has, in the unit of the need; `holds` compares. */
export interface Need {
  /** Where it stands in the file: `needs.restore.rto`. */
  readonly path: string;
  readonly wanted: number;
  readonly holds: (design: Evaluated) => boolean;
}

/** "19 of 20 times". */
const promised = 0.95;

/** What the file asks for. */
export function needsOf(input: Requirements): Need[] {
  const { availability, rto, rpo, restore, durability, budget } = input.needs;
  const known = new Map<string, number>();
  const need = (path: string, wanted: number | undefined, holds: (design: Evaluated, wanted: number) => boolean): Need[] =>
    wanted === undefined ? [] : [{ path: `needs.${path}`, wanted, holds: (design) => holds(design, wanted) }];
  return [
    ...need('budget', budget, ({ cost }, most) => cost <= most),
    ...need('availability', availability, ({ unavailability }, least) => unavailability <= complement(least)),
    ...need('rto', rto, ({ failoverHours }, most) => failoverHours <= most),
    ...need('rpo', rpo, ({ failoverLossHours }, most) => failoverLossHours <= most),
    ...need('durability', durability, ({ lossProbability }, least) => lossProbability <= complement(least)),
    ...need('restore.rpo', restore?.rpo, ({ recoveryLossHours }, most) => recoveryLossHours <= most),
    ...need('restore.rto', restore?.rto, (design, most) => worstRecoveryHours(input, design, known) <= most),
  ];
}

/** 1 − p, of the decimal figure: 0.9995 leaves exactly 0.0005. */
function complement(probability: number): number {
  return Number((1 - probability).toPrecision(12));
}

/** What 19 of 20 recoveries keep to, after the disaster that takes longest. */
export function worstRecoveryHours(input: Requirements, { design, readiness }: Evaluated, known: Map<string, number> = new Map()): number {
  const { copies, backup, journal, drills, members, sites } = design;
  const key = [copies, backup, journal !== undefined, drills, members, sites].join(' ');
  let worst = known.get(key);
  if (worst !== undefined) return worst;
  const rates = disasterRates(input, design);
  const each = disasters.flatMap((disaster) => {
    const recovery = rates[disaster] === 0 ? undefined : recoveryAfter(input, design, disaster);
    return recovery ? [quantileHours(recovery, readiness, input.catalogue.restore.retry, promised)] : [];
  });
  known.set(key, (worst = Math.max(0, ...each)));
  return worst;
}
