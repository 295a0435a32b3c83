import type { LongRunAnswer, TimeAnswer } from '../file/answer.ts';
import { hours, number, percent, time } from '../format.ts';
import type { Block } from './report.ts';
import { facts, figures, table } from './report.ts';

export function longRunBlocks(answer: LongRunAnswer): Block[] {
  const { year365, month30, week, day } = answer.downtime;
  return facts(
    ['availability', `${percent(answer.unavailability)}  (${number(answer.nines, 3)} nines)`],
    ['unavailability', number(answer.unavailability, 10)],
    ['downtime', `${time(year365)} a year, ${time(month30)} in 30 days, ${time(week)} a week, ${time(day)} a day`],
    answer.failuresPerYear !== undefined && ['failures', `${number(answer.failuresPerYear)} a year`],
    answer.mtbf !== undefined && ['time between failures', hours(answer.mtbf)],
    answer.meanUpTime !== undefined && ['mean time up', hours(answer.meanUpTime)],
    answer.meanDownTime !== undefined && ['mean time down', hours(answer.meanDownTime)],
  );
}

/** How it stands at single times. */
export function timesBlocks(at: readonly TimeAnswer[]): Block[] {
  if (at.length === 0) return [];
  const survives = at.some(({ survival }) => survival !== undefined);
  return [
    table(
      'At single times, all having been new at 0',
      [figures('After'), figures('Availability'), figures('Unavailability'), ...(survives ? [figures('Never failed')] : [])],
      at.map((each) => [
        hours(each.hours),
        percent(each.unavailability),
        number(each.unavailability, 10),
        ...(survives ? [number(each.survival!, 10)] : []),
      ]),
    ),
  ];
}
