import type { ChainAnswer, ModelAnswer, RecoveryAnswer, StorageAnswer } from '../file/answer.ts';
import { hours, number, time } from '../format.ts';
import { longRunBlocks, timesBlocks } from './blocks.ts';
import type { Report, ReportSection } from './report.ts';
import { column, facts, figures, table, text } from './report.ts';
import { structureSection } from './structure.ts';

/** All that is told of a model's answers, in words and rounded figures. */
export function reportOf(answer: ModelAnswer): Report {
  const { name, structure, chains = {}, storage = {}, recovery = {} } = answer;
  return {
    ...(name === undefined ? {} : { name }),
    sections: [
      ...(structure ? [structureSection(structure)] : []),
      ...Object.entries(chains).map(([of, chain]) => chainSection(of, chain)),
      ...Object.entries(storage).map(([of, code]) => storageSection(of, code)),
      ...Object.entries(recovery).map(([of, steps]) => recoverySection(of, steps)),
    ],
  };
}

function chainSection(name: string, answer: ChainAnswer): ReportSection {
  const { longRun, absorption, mttf } = answer;
  return {
    of: { part: 'chains', name },
    title: `Chain '${name}', ${answer.states} states`,
    blocks: [
      ...(longRun
        ? [
            ...longRunBlocks(longRun),
            ...facts(['mean reward', number(longRun.rewardRate, 10)]),
            table(
              'Share of the time in each state, in the long run',
              [column('State'), figures('In the long run')],
              Object.entries(longRun.probabilities).map(([state, probability]) => [state, number(probability, 10)]),
            ),
          ]
        : []),
      ...(answer.noLongRun === undefined ? [] : [text(`No long run: ${answer.noLongRun}`)]),
      ...facts(
        mttf !== undefined && ['mean time to failure', hours(mttf)],
        absorption !== undefined && ['mean time to its end', hours(absorption.meanTime)],
        ...Object.entries(absorption?.probabilities ?? {}).map(
          ([state, probability]) => [`ends in '${state}'`, number(probability, 10)] as const,
        ),
      ),
      ...timesBlocks(answer.at),
      { kind: 'assumptions', assumptions: answer.assumptions },
    ],
  };
}

function recoverySection(name: string, answer: RecoveryAnswer): ReportSection {
  return {
    of: { part: 'recovery', name },
    title: `Recovery of '${name}'`,
    blocks: [
      ...facts(
        ...answer.steps.filter(({ meanMs }) => meanMs > 0).map(({ step, meanMs }) => [step, time(meanMs)] as const),
        ['expected recovery time', time(answer.expectedMs)],
        ['in 19 of 20 cases within', time(answer.quantilesMs.p95)],
        ['in 99 of 100', time(answer.quantilesMs.p99)],
        answer.withinObjective !== undefined && ['keeps to the objective in', `${number(answer.withinObjective * 100, 4)}% of cases`],
        answer.catchUpMs !== undefined && ['catching up under load', time(answer.catchUpMs)],
        answer.businessMs !== undefined && ['with re-entry of what was lost', time(answer.businessMs)],
      ),
      { kind: 'assumptions', assumptions: answer.assumptions },
    ],
  };
}

function storageSection(name: string, answer: StorageAnswer): ReportSection {
  const bytes = answer.points.some(({ expectedBytesLost }) => expectedBytesLost !== undefined);
  return {
    of: { part: 'storage', name },
    title: `Storage '${name}', ${answer.fragments} fragments a set`,
    blocks: [
      table(
        'Odds of losing data',
        [
          figures('Within'),
          figures('Loss of a set'),
          figures('Nines'),
          figures('Loss of any'),
          ...(bytes ? [figures('Bytes expected lost', 1)] : []),
        ],
        answer.points.map((point) => [
          hours(point.time),
          number(point.groupLossProbability),
          number(point.nines, 4),
          number(point.lossProbability),
          ...(bytes ? [number(point.expectedBytesLost ?? 0)] : []),
        ]),
      ),
      ...facts(['mean time to loss of a set', hours(answer.mttdl.group)], ['of any set', hours(answer.mttdl.any)]),
      text(answer.mttdl.warning),
      { kind: 'assumptions', assumptions: answer.assumptions },
    ],
  };
}
