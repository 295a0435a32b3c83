import { logGamma } from '../special/gamma.ts';
import { normalCdf } from '../special/normal.ts';
import { unavailabilityOf } from '../statistics/nines.ts';
import type { CommonCauseGroup } from '../structure/common-cause.ts';
import type { BasicEvent } from '../structure/event.ts';
import type { Expression, Structure } from '../structure/structure.ts';
import type { ExpressionInput } from './expression.ts';
import { gateOf } from './expression.ts';
import { meanOf } from './law.ts';
import { copiesOf, namesOf } from './names.ts';
import type { Component, Model } from './schema.ts';

/** Hours of a year of 365 days. */
const yearHours = 8760;

/** The structure of a model, as the exact solver reads it. Every part is repaired by a crew of its own. */
export function structureOf(model: Model): Structure {
  const names = namesOf(model);
  const sites = Object.entries(model.sites ?? {});
  const sitesOf = (part: string) =>
    sites.filter(([, { members }]) => members.some((member) => names.get(member)?.includes(part))).map(([name]) => name);
  const part = (name: string): Expression => {
    const around = sitesOf(name);
    // What stands in a site has failed when it has, or the site has.
    return around.length === 0 ? name : { op: 'series', of: [name, ...around] };
  };
  const convert = (expression: ExpressionInput): Expression => {
    if (typeof expression === 'boolean') return expression;
    if (typeof expression === 'string') return names.has(expression) ? part(expression) : expression;
    const { gate, k, parts } = gateOf(expression);
    const of = parts.flatMap((each) => (typeof each === 'string' && names.has(each) ? names.get(each)!.map(part) : [convert(each)]));
    if (gate === 'not') return { op: gate, of };
    return gate === 'k-of-n' || gate === 'atleast' ? { op: gate, k: k!, of } : { op: gate, of };
  };
  return {
    top: convert(model.structure!),
    gates: Object.fromEntries(Object.entries(model.parts ?? {}).map(([name, expression]) => [name, convert(expression)])),
    events: Object.fromEntries([
      ...Object.entries(model.components ?? {}).flatMap(([name, component]) =>
        copiesOf(name, component.count).map((copy) => [copy, eventOf(component)] as const),
      ),
      ...sites.map(([name, { members: _, ...site }]) => [name, eventOf(site)] as const),
    ]),
    groups: Object.fromEntries(Object.entries(model.commonCause ?? {}).map(([name, group]) => [name, groupOf(group, names)])),
  };
}

/** Failures per hour of what has a constant rate; undefined for anything else. */
export function rateOf({ rate, mtbf, afr }: Pick<Component, 'rate' | 'mtbf' | 'afr'>): number | undefined {
  if (rate !== undefined) return rate;
  if (mtbf !== undefined) return 1 / mtbf;
  // A probability per year is no rate: 1 − e^(−λ·year) is.
  return afr === undefined ? undefined : -Math.log1p(-afr) / yearHours;
}

/** Mean life in hours; undefined of what is a probability. */
export function meanLifeOf(component: Component): number | undefined {
  const rate = rateOf(component);
  if (rate !== undefined) return 1 / rate;
  const { weibull, lognormal } = component;
  if (weibull) return (weibull.delay ?? 0) + weibull.scale * Math.exp(logGamma(1 + 1 / weibull.shape));
  return lognormal && lognormal.median * Math.exp(lognormal.sigma ** 2 / 2);
}

/** How a component fails and is mended, as an event of the exact solver. */
export function eventOf(component: Component): BasicEvent {
  const { probability, unavailability, availability, frequency, mttr, mission, test, weibull, lognormal } = component;
  const often = frequency === undefined ? {} : { frequency };
  // 1 − 0.9999 has twelve digits only; taken from the decimal figure, the difference is exact.
  if (availability !== undefined) return { kind: 'probability', probability: complementOf(availability), ...often };
  if (probability !== undefined || unavailability !== undefined)
    return { kind: 'probability', probability: (probability ?? unavailability)!, ...often };
  const rate = rateOf(component);
  if (rate === undefined) return mttr === undefined ? lifeOf(weibull, lognormal) : alternating(meanLifeOf(component)!, meanOf(mttr));
  if (mission !== undefined) return { kind: 'mission', rate, time: mission };
  if (test) {
    return {
      kind: 'tested',
      rate,
      interval: test.every,
      ...(test.takes === undefined ? {} : { testTime: test.takes }),
      ...(test.repair === undefined ? {} : { repairTime: test.repair }),
      ...(test.first === undefined ? {} : { first: test.first }),
    };
  }
  return mttr === undefined ? { kind: 'rate', rate } : { kind: 'repairable', rate, repairTime: meanOf(mttr) };
}

/** 1 − a of the decimal figure: of 0.9999 exactly 0.0001. */
export function complementOf(availability: number): number {
  const text = String(availability);
  return text.includes('e') ? 1 - availability : unavailabilityOf(text);
}

/** In the long run only the means count (renewal reward theorem): U = MTTR / (MTTF + MTTR), whatever the laws. */
function alternating(life: number, repair: number): BasicEvent {
  return { kind: 'probability', probability: repair / (life + repair), frequency: 1 / (life + repair) };
}

function lifeOf(weibull: Component['weibull'], lognormal: Component['lognormal']): BasicEvent {
  if (weibull)
    return {
      kind: 'weibull',
      scale: weibull.scale,
      shape: weibull.shape,
      ...(weibull.delay === undefined ? {} : { delay: weibull.delay }),
    };
  const { median, sigma } = lognormal!;
  const z = (time: number) => Math.log(time / median) / sigma;
  return {
    kind: 'life',
    life: {
      failure: (time) => (time <= 0 ? { q: 0, a: 1 } : { q: normalCdf(z(time)), a: normalCdf(-z(time)) }),
      density: (time) => (time <= 0 ? 0 : Math.exp(-(z(time) ** 2) / 2) / (time * sigma * Math.sqrt(2 * Math.PI))),
    },
  };
}

function groupOf(group: NonNullable<Model['commonCause']>[string], names: ReadonlyMap<string, readonly string[]>): CommonCauseGroup {
  const members = group.members.flatMap((member) => names.get(member) ?? []);
  const { beta, mgl, alpha, phi, basic, testing = 'simultaneous' } = group;
  if (beta !== undefined) return { members, model: 'beta', beta };
  if (mgl) return { members, model: 'mgl', factors: mgl };
  if (alpha) return { members, model: 'alpha', factors: alpha, testing };
  return phi ? { members, model: 'phi', factors: phi } : { members, model: 'basic', probabilities: basic! };
}
