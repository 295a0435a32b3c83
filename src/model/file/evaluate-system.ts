import { availabilityOverTime, longRunMeasures, meanTimeToFailure, survivalOverTime } from '../chain/up-down.ts';
import { classesOf } from '../chain/classes.ts';
import { systemChain } from '../system/system-chain.ts';
import type { StructureAnswer } from './answer.ts';
import { withoutSteadyState } from './check-chains.ts';
import type { Asked } from './evaluate-structure.ts';
import { longRunOf } from './evaluate-structure.ts';
import type { MethodChoice } from './method.ts';
import type { Model } from './schema.ts';
import { systemOf } from './to-system.ts';

/** A system of crews and spares as a Markov chain. */
export function evaluateSystem(model: Model, { method, because, assumptions }: MethodChoice, asked: Asked): StructureAnswer {
  const chain = systemChain(systemOf(model));
  const isUp = (state: number) => chain.up[state] === 1;
  const noLongRun = withoutSteadyState(chain);
  const times = asked.at.length > 0 || noLongRun === undefined ? asked.at : [asked.horizon];
  const over = availabilityOverTime(chain, isUp, chain.initial, times);
  const survival = survivalOverTime(chain, isUp, chain.initial, times);
  return {
    method,
    because,
    assumptions: [...assumptions, ...chain.assumptions, `${chain.size} states`],
    ...(noLongRun === undefined ? { longRun: longRunOfChain() } : { noLongRun: `some states are left for good: ${noLongRun}` }),
    at: over.map(({ time, availability, unavailability }, index) => ({
      hours: time,
      availability,
      unavailability,
      survival: survival[index]!.survival,
    })),
    ...(canFail() ? { mttf: meanTimeToFailure(chain, isUp, chain.initial) } : {}),
  };

  function longRunOfChain() {
    const { availability, unavailability, failureFrequency } = longRunMeasures(chain, isUp);
    return longRunOf({ q: unavailability, a: availability, w: failureFrequency });
  }

  /** Whether it fails at last for certain: else the mean time to that is none. */
  function canFail(): boolean {
    const { classOf, closed } = classesOf(chain);
    const downIn = new Set(Array.from(classOf).filter((_, state) => !isUp(state)));
    return downIn.size > 0 && Array.from(classOf).every((number) => closed[number] === 0 || downIn.has(number));
  }
}
