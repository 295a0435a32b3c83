import type { SimulatedAnswer, StructureAnswer } from '../file/answer.ts';
import { hours, number } from '../format.ts';
import { longRunBlocks, timesBlocks } from './blocks.ts';
import type { Block, ReportSection } from './report.ts';
import { column, facts, figures, table, text } from './report.ts';

export function structureSection(answer: StructureAnswer): ReportSection {
  const { longRun, bounds, simulation, cutSets, importance, comparison } = answer;
  return {
    of: { part: 'structure' },
    title: `Structure, by ${answer.method} (${answer.because})`,
    blocks: [
      ...(longRun ? longRunBlocks(longRun) : []),
      ...(answer.noLongRun === undefined ? [] : [text(`No long run: ${answer.noLongRun}`)]),
      ...(bounds ? [text(boundsText(bounds))] : []),
      ...facts(answer.mttf !== undefined && ['mean time to failure', hours(answer.mttf)]),
      ...(simulation ? simulatedBlocks(simulation) : timesBlocks(answer.at)),
      ...(cutSets ? [cutSetTable(cutSets)] : []),
      ...(importance ? [importanceTable(importance)] : []),
      ...(comparison && comparison.length > 0 ? [comparisonTable(comparison)] : []),
      { kind: 'assumptions', assumptions: answer.assumptions },
    ],
  };
}

function boundsText({ hours: after, unavailability: { low, high } }: NonNullable<StructureAnswer['bounds']>): string {
  return `unavailability ${after === undefined ? 'in the long run' : `after ${hours(after)}`} between ${number(low, 10)} and ${number(high, 10)}`;
}

function simulatedBlocks(answer: SimulatedAnswer): Block[] {
  const told = ({ mean, low, high }: SimulatedAnswer['points'][number]['failures']) =>
    `${number(mean, 4)} (${number(low, 4)} … ${number(high, 4)})`;
  return [
    text(`${answer.replications} replications, ${answer.events} events, seed ${answer.seed}; ended by ${answer.stoppedBy}`),
    table(
      `Estimates, and where the true value lies with ${number(answer.confidence * 100)}% confidence`,
      [
        figures('After'),
        figures('Unavailability until then'),
        figures('At that time', 1),
        figures('Failures'),
        figures('Failed by then', 2),
      ],
      answer.points.map((point) => [
        hours(point.hours),
        told(point.meanUnavailability),
        told(point.unavailability),
        told(point.failures),
        told(point.failureProbability),
      ]),
    ),
  ];
}

function cutSetTable({ count, sets }: NonNullable<StructureAnswer['cutSets']>): Block {
  return table(
    'Parts that bring the system down together, and no fewer of them',
    [column(`Minimal cut sets (${count})`), figures('Probability')],
    sets.map(({ events, probability }) => [events.join(', '), number(probability)]),
  );
}

function importanceTable(importance: NonNullable<StructureAnswer['importance']>): Block {
  return table(
    'Importance of each part',
    [column('Part'), figures('Unavailability'), figures('Birnbaum', 2), figures('Criticality'), figures('RAW', 1), figures('RRW')],
    importance.map((each) => [
      each.event,
      number(each.unavailability),
      number(each.birnbaum, 4),
      number(each.criticality, 4),
      number(each.riskAchievement, 4),
      number(each.riskReduction, 4),
    ]),
  );
}

function comparisonTable(comparison: NonNullable<StructureAnswer['comparison']>): Block {
  return table(
    'The same by other methods',
    [column('Also by'), figures('Unavailability'), figures('Difference')],
    comparison.map(({ method, unavailability, relativeDifference }) => [method, number(unavailability, 10), number(relativeDifference, 2)]),
  );
}
