import type { Distribution } from '../distribution/distribution.ts';
import type { SystemPlan } from '../system/plan.ts';

/** What a clock tells of. */
export const CLOCK = { unit: 0, recovery: 1, maintenance: 2, inspection: 3, site: 4, shock: 5, takeover: 6 } as const;

/** When everything happens that is known to happen: one entry per thing that can, Infinity while it can not. */
export interface Clocks {
  readonly due: Float64Array;
  readonly kind: Uint8Array;
  /** Unit, group, site, shock or set that it is about. */
  readonly subject: Int32Array;
  /** Clock of a group's recovery; −1 without. */
  readonly recoveryOf: Int32Array;
  /** First of the clocks of a set's take-overs: as many as units work, each begun or failed. */
  readonly slotsOf: Int32Array;
  /** Starts what runs from the beginning. */
  readonly begin: (draw: (distribution: Distribution) => number) => void;
  readonly nextMaintenance: (group: number, now: number) => void;
  /** Shocks wait while a system rests. */
  readonly pauseShocks: (now: number, pause: boolean) => void;
}

/** Units have the first clocks, in their order. */
export function clocksOf(plan: SystemPlan): Clocks {
  const kinds: number[] = [];
  const subjects: number[] = [];
  const add = (kind: number, subject: number): number => {
    kinds.push(kind);
    return subjects.push(subject) - 1;
  };
  const units = plan.groups.reduce((sum, { count }) => sum + count, 0);
  for (let unit = 0; unit < units; unit++) add(CLOCK.unit, unit);
  const recoveryOf = Int32Array.from(plan.groups, ({ coverage }, group) => (coverage === undefined ? -1 : add(CLOCK.recovery, group)));
  const maintenanceOf = plan.groups.map(({ maintenance }, group) => (maintenance === undefined ? -1 : add(CLOCK.maintenance, group)));
  const inspections = plan.groups.flatMap(({ inspection }, group) => (inspection === undefined ? [] : [add(CLOCK.inspection, group)]));
  const sites = plan.sites.map((_, site) => add(CLOCK.site, site));
  const shocks = plan.shocks.map((_, shock) => add(CLOCK.shock, shock));
  const slotsOf = Int32Array.from(plan.sets, ({ working }, set) => {
    const first = kinds.length;
    for (let slot = 0; slot < working; slot++) add(CLOCK.takeover, set);
    return first;
  });
  const due = new Float64Array(kinds.length);
  const left = new Float64Array(shocks.length);
  const nextMaintenance = (group: number, now: number): void => {
    due[maintenanceOf[group]!] = now + plan.groups[group]!.maintenance!.interval;
  };
  return {
    due,
    kind: Uint8Array.from(kinds),
    subject: Int32Array.from(subjects),
    recoveryOf,
    slotsOf,
    nextMaintenance,
    begin: (draw) => {
      maintenanceOf.forEach((clock, group) => clock >= 0 && nextMaintenance(group, 0));
      for (const clock of inspections) due[clock] = plan.groups[subjects[clock]!]!.inspection!.interval;
      sites.forEach((clock, site) => (due[clock] = draw(plan.sites[site]!.failure)));
      shocks.forEach((clock, shock) => (due[clock] = draw(plan.shocks[shock]!.time)));
    },
    pauseShocks: (now, pause) => {
      shocks.forEach((clock, shock) => {
        if (pause) left[shock] = due[clock]! - now;
        due[clock] = pause ? Infinity : now + left[shock]!;
      });
    },
  };
}
