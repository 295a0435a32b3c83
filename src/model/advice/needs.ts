import { recoverySteps } from '../file/evaluate-recovery.ts';
import { complementOf } from '../file/to-structure.ts';
import type { TotalTime } from '../recovery-time/total-time.ts';
import { totalTime } from '../recovery-time/total-time.ts';
import type { Design } from './design.ts';
import type { Evaluated } from './evaluate.ts';
import type { Disaster } from './keeping.ts';
import { disasterRates, disasters } from './keeping.ts';
import { quantileWithRetry, recoveryAfter } from './restoring.ts';
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
export function needsOf(input: Requirements, promises: RecoveryPromises = new RecoveryPromises(input)): Need[] {
  const { availability, rto, rpo, restore, durability, budget } = input.needs;
  const need = (path: string, wanted: number | undefined, holds: (design: Evaluated, wanted: number) => boolean): Need[] =>
    wanted === undefined ? [] : [{ path: `needs.${path}`, wanted, holds: (design) => holds(design, wanted) }];
  return [
    ...need('budget', budget, ({ cost }, most) => cost <= most),
    ...need('availability', availability, ({ unavailability }, least) => unavailability <= complementOf(least)),
    ...need('rto', rto, ({ failoverHours }, most) => failoverHours <= most),
    ...need('rpo', rpo, ({ failoverLossHours }, most) => failoverLossHours <= most),
    ...need('durability', durability, ({ lossProbability }, least) => lossProbability <= complementOf(least)),
    ...need('restore.rpo', restore?.rpo, ({ recoveryLossHours }, most) => recoveryLossHours <= most),
    ...need('restore.rto', restore?.rto, (design, most) => promises.worstHours(design) <= most),
  ];
}

/** What 19 of 20 recoveries keep to, by design, after the disaster that takes longest. The laws of recoveries are made once for all that share them. */
export class RecoveryPromises {
  private readonly input: Requirements;
  private readonly totals = new Map<string, TotalTime | undefined>();
  private readonly rates = new Map<string, Readonly<Record<Disaster, number>>>();

  constructor(input: Requirements) {
    this.input = input;
  }

  worstHours({ design, readiness }: Evaluated): number {
    const { members, sites } = design;
    const rates = remembered(this.rates, `${members} ${sites}`, () => disasterRates(this.input, design));
    const { retry } = this.input.catalogue.restore;
    const each = disasters.flatMap((disaster) => {
      const total = rates[disaster] === 0 ? undefined : this.#total(design, disaster);
      return total ? [quantileWithRetry(total, readiness, retry, promised)] : [];
    });
    return Math.max(0, ...each);
  }

  #total(design: Design, disaster: Disaster): TotalTime | undefined {
    const { copies, backup } = design;
    return remembered(this.totals, `${disaster} ${copies} ${backup}`, () => {
      const recovery = recoveryAfter(this.input, design, disaster);
      return recovery && totalTime(recoverySteps(recovery).map(({ law }) => law));
    });
  }
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  if (!known.has(key)) known.set(key, make());
  return known.get(key) as T;
}
