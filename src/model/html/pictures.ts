import { describeChain } from '../file/check-chains.ts';
import type { ModelAnswer, TimeAnswer } from '../file/answer.ts';
import type { Curves } from '../file/curves.ts';
import type { Model } from '../file/schema.ts';
import { systemOf } from '../file/to-system.ts';
import { describedChain } from '../chain/chain.ts';
import { systemChain } from '../system/system-chain.ts';
import { hours, number, percent, time } from '../format.ts';
import { logTimeAxis, ninesAxis, shareAxis, timeAxis } from './axis.ts';
import { bars } from './bars.ts';
import { blockDiagram } from './block-diagram.ts';
import { faultTree } from './fault-tree.ts';
import type { Markup } from './markup.ts';
import { markup } from './markup.ts';
import { picture, table } from './page.ts';
import type { Series } from './plot.ts';
import { plot } from './plot.ts';
import type { Sketch } from './sketch.ts';
import { sketchOf } from './sketch.ts';
import type { ChartedChain } from './state-chart.ts';
import { drawnStatesMax, edgesOf, rateText, stateChart } from './state-chart.ts';

/** Bars of importance. */
const barsMax = 20;

/** What stands in a block diagram; all else is a fault tree. */
const blockGates: readonly string[] = ['series', 'parallel', 'k-of-n'];

export function structurePicture(model: Model): Markup {
  const sketch = sketchOf(model);
  const blocks = isBlocks(sketch);
  return picture({
    id: 'structure',
    title: blocks ? 'Block diagram' : 'Fault tree',
    description: blocks
      ? 'The system works while there is a way from the left to the right through parts that work; dashed boxes stand elsewhere, too, or are not drawn out'
      : 'From the failure of the system at the left to what causes it; dashed boxes stand elsewhere, too, or are not drawn out',
    ...(blocks ? blockDiagram(sketch) : faultTree(sketch)),
    alternative: markup`<ul>${outline(sketch)}</ul>`,
    alternativeName: 'As a list',
  });
}

function isBlocks(sketch: Sketch): boolean {
  return sketch.kind === 'gate' ? blockGates.includes(sketch.gate) && sketch.of.every(isBlocks) : !(sketch.kind === 'part' && sketch.house);
}

function outline(sketch: Sketch): Markup {
  if (sketch.kind !== 'gate') return markup`<li>${sketch.name}${sketch.note !== '' && `: ${sketch.note}`}</li>\n`;
  const { gate, k, count, name, of } = sketch;
  const meant = k === undefined ? gate : gate === 'atleast' ? `fails when ${k} of ${count} fail` : `works while ${k} of ${count} work`;
  return markup`<li>${name !== undefined && `${name}: `}${meant}<ul>\n${of.map(outline)}</ul></li>\n`;
}

/** States and transitions of the chain that the structure was solved by, or of one in the file. */
export function chainPicture(id: string, chain: ChartedChain): Markup {
  const { size } = chain;
  const edges = edgesOf(chain);
  const up = chain.up.reduce((sum, each) => sum + each, 0);
  const facts = `${size} states, of which ${up} ${up === 1 ? 'is' : 'are'} up; ${edges.length} transitions`;
  if (size > drawnStatesMax) return markup`<p>State chart: ${facts}. More than ${drawnStatesMax} states are not drawn.</p>\n`;
  return picture({
    id,
    title: 'State chart',
    description: `${facts}. It begins where the border is thick; states in which the system is down have a double border`,
    ...stateChart(id, chain),
    alternative: table(
      'Transitions',
      [{ heading: 'From' }, { heading: 'To' }, { heading: 'Rate', align: 'right' }],
      edges.map(({ from, to, rate }) => [stateName(chain, from), stateName(chain, to), rateText(rate)]),
    ),
  });
}

function stateName(chain: ChartedChain, state: number): string {
  return `${chain.nameOf(state)} (${chain.up[state] === 1 ? 'up' : 'down'})`;
}

/** Of a structure that a Markov chain solved. */
export function systemPicture(model: Model): Markup {
  return chainPicture('states', systemChain(systemOf(model)));
}

export function describedChainPicture(id: string, chain: NonNullable<Model['chains']>[string]): Markup {
  return chainPicture(id, describedChain(describeChain(chain)));
}

/** Survival falls over even times; availability moves early, in steps of nines. */
export function timePictures(id: string, at: readonly TimeAnswer[], longRun: number | undefined): Markup {
  return markup`${availabilityPicture(id, at, longRun)}${survivalPicture(id, at)}`;
}

function availabilityPicture(id: string, at: readonly TimeAnswer[], longRun: number | undefined): Markup | undefined {
  const points = at.filter(({ unavailability, hours: after }) => unavailability > 0 && after > 0);
  if (points.length < 2) return undefined;
  const [first, last] = [points[0]!, points.at(-1)!];
  const all = [...points.map(({ unavailability }) => unavailability), ...(longRun === undefined || longRun === 0 ? [] : [longRun])];
  const series: Series[] = [
    { name: 'availability', points: points.map(({ hours: after, unavailability }) => [after, unavailability]) },
    ...(longRun === undefined || longRun === 0
      ? []
      : [
          {
            name: 'in the long run',
            points: [
              [first.hours, longRun],
              [last.hours, longRun],
            ] as const,
          },
        ]),
  ];
  return picture({
    id: `${id}-availability`,
    title: 'Availability over time',
    description: `After ${hours(first.hours)} it is ${percent(first.unavailability)}, after ${hours(last.hours)} ${percent(last.unavailability)}${longRun === undefined ? '' : `, in the long run ${percent(longRun)}`}. Each mark upwards is a nine more`,
    ...plot(logTimeAxis(first.hours, last.hours), ninesAxis('availability', Math.max(...all), Math.min(...all)), series),
    alternative: table(
      'Availability over time',
      [{ heading: 'After' }, { heading: 'Availability', align: 'right' }, { heading: 'Unavailability', align: 'right' }],
      thinned(points).map((each) => [hours(each.hours), percent(each.unavailability), number(each.unavailability)]),
    ),
  });
}

function survivalPicture(id: string, at: readonly TimeAnswer[]): Markup | undefined {
  const points = at.flatMap(({ hours: after, survival }) => (survival === undefined ? [] : [[after, survival] as const]));
  if (points.length < 2) return undefined;
  const [last, least] = points.at(-1)!;
  // The beginning is known: nothing has failed.
  const whole = [[0, 1] as const, ...points];
  return picture({
    id: `${id}-survival`,
    title: 'Survival',
    description: `The probability that it has never failed: ${number(least * 100, 4)}% after ${hours(last)}`,
    ...plot(timeAxis(last), shareAxis('never failed until then', least > 0.5 ? Math.floor(least * 10) / 10 : 0), [
      { name: 'survival', points: whole },
    ]),
    alternative: table(
      'Survival',
      [{ heading: 'After' }, { heading: 'Never failed', align: 'right' }],
      thinned(whole).map(([after, survival]) => [hours(after), number(survival, 9)]),
    ),
  });
}

/** Rows that a table beside a curve needs. */
const rowsWanted = 16;

function thinned<T>(points: readonly T[]): T[] {
  const step = Math.max(1, Math.ceil(points.length / rowsWanted));
  return points.filter((_, index) => index % step === 0 || index === points.length - 1);
}

export function importancePicture(structure: NonNullable<ModelAnswer['structure']>): Markup | undefined {
  const ranked = (structure.importance ?? []).toSorted((a, b) => b.criticality - a.criticality).slice(0, barsMax);
  if (ranked.length < 2) return undefined;
  return picture({
    id: 'importance',
    title: 'What fails the system',
    description: `Criticality: the share of the system's failures to which each part is critical. '${ranked[0]!.event}' comes first with ${number(ranked[0]!.criticality * 100, 3)}%. The table below has all measures`,
    ...bars(ranked.map(({ event, criticality }) => ({ name: event, value: criticality, text: `${number(criticality * 100, 3)}%` }))),
  });
}

export function lossPicture(id: string, points: Curves['storage'][string]): Markup | undefined {
  const some = points.filter(({ groupLossProbability }) => groupLossProbability > 0);
  if (some.length < 2) return undefined;
  const [first, last] = [some[0]!, some.at(-1)!];
  return picture({
    id: `${id}-loss`,
    title: 'Odds of having lost nothing',
    description: `The probability that no set has been lost is ${percent(last.lossProbability)} after ${hours(last.time)}`,
    ...plot(logTimeAxis(first.time, last.time), ninesAxis('nothing lost', last.lossProbability, first.groupLossProbability), [
      { name: 'any set', points: some.map((point) => [point.time, point.lossProbability]) },
      { name: 'a given set', points: some.map((point) => [point.time, point.groupLossProbability]) },
    ]),
    alternative: table(
      'Odds of losing data',
      [{ heading: 'Within' }, { heading: 'Loss of a given set', align: 'right' }, { heading: 'Loss of any set', align: 'right' }],
      thinned(some).map((point) => [hours(point.time), number(point.groupLossProbability), number(point.lossProbability)]),
    ),
  });
}

export function stepsPicture(id: string, { steps, expectedMs }: NonNullable<ModelAnswer['recovery']>[string]): Markup | undefined {
  const some = steps.filter(({ meanMs }) => meanMs > 0);
  if (some.length < 2) return undefined;
  return picture({
    id: `${id}-steps`,
    title: 'Where the time goes',
    description: `Mean times of the steps, ${time(expectedMs)} in all`,
    ...bars(
      some.map(({ step, meanMs }) => ({ name: step, value: meanMs, text: `${time(meanMs)}, ${number((meanMs / expectedMs) * 100, 3)}%` })),
    ),
  });
}

/** Estimates of a simulation with their intervals, at the times that were asked for. */
export function simulatedPicture(simulation: NonNullable<NonNullable<ModelAnswer['structure']>['simulation']>): Markup | undefined {
  const { points } = simulation;
  if (points.length < 2) return undefined;
  const last = points.at(-1)!;
  return picture({
    id: 'simulated',
    title: 'Failed at least once by then',
    description: `Estimates with their intervals; after ${hours(last.hours)} ${number(last.failureProbability.mean * 100, 4)}%. The table below has the figures`,
    ...plot(timeAxis(last.hours), shareAxis('failed by then'), [
      {
        name: 'failed',
        points: points.map((point) => [point.hours, point.failureProbability.mean]),
        intervals: points.map((point) => [point.failureProbability.low, point.failureProbability.high]),
      },
    ]),
  });
}
