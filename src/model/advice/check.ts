import { nearest } from '../../core/nearest.ts';
import type { ModelProblem } from '../file/check.ts';
import { cronOf } from './configuration.ts';
import { designsOf } from './design.ts';
import { locationsOf } from './keeping.ts';
import type { Requirements } from './schema.ts';

/** Per hour. */
const disasterRateMax = 1 / 24;
/** Designs that are looked at: some seconds. */
const designsMax = 200_000;

/** What is wrong with needs that their schema could not see: names that do not exist, times that no schedule can say, searches without a design. */
export function checkRequirements(input: Requirements): ModelProblem[] {
  const problems = [...checkCopies(input), ...checkTimes(input), ...checkShares(input)];
  return problems.length > 0 ? problems : checkSearch(input);
}

function checkCopies({ catalogue, search }: Requirements): ModelProblem[] {
  const problems: ModelProblem[] = [];
  const unknown = (path: ModelProblem['path'], name: string, known: readonly string[], what: string) => {
    if (known.includes(name)) return;
    const meant = nearest(name, known);
    problems.push({
      path,
      message: `there is no ${what} '${name}'${meant === undefined ? `; there are: ${known.join(', ')}` : `; did you mean '${meant}'?`}`,
    });
  };
  const locations = Object.keys(catalogue.locations);
  for (const [name, way] of Object.entries(catalogue.copies)) {
    const path = ['catalogue', 'copies', name];
    for (const each of locationsOf(way)) unknown(path, each, locations, 'location');
    const { parity } = way;
    if (parity && parity.over.length !== parity.data + parity.parity)
      problems.push({
        path,
        message: `parity must be over data + parity = ${parity.data + parity.parity} locations, not ${parity.over.length}`,
      });
    if (new Set(locationsOf(way)).size < locationsOf(way).length)
      problems.push({ path, message: 'names a location twice: that keeps nothing more' });
    if (name === 'copies' || locations.includes('copies'))
      problems.push({ path, atKey: true, message: "'copies' is what the combination is called in holdfast.yaml; take another name" });
  }
  for (const [index, name] of (search.copies ?? []).entries())
    unknown(['search', 'copies', index], name, Object.keys(catalogue.copies), 'way to keep copies');
  return problems;
}

function checkTimes({ search, catalogue }: Requirements): ModelProblem[] {
  const schedules = (key: 'backup' | 'drills') =>
    search[key].flatMap((hours, index) =>
      hours === 'none' || cronOf(hours) !== undefined
        ? []
        : [
            {
              path: ['search', key, index],
              message: 'must be an interval that a schedule can say: a divisor of an hour or a day, or 1d, 7d, 30d, 90d, 180d, 365d',
            },
          ],
    );
  const journals = search.journal.flatMap((hours, index) =>
    hours >= 0.1 / 3600 - 1e-12 && hours <= 1
      ? []
      : [{ path: ['search', 'journal', index], message: 'must be an interval from 100ms to 1h' }],
  );
  const { switchover, quorum, asynchronous } = catalogue.failover;
  const order =
    quorum <= asynchronous && switchover <= asynchronous
      ? []
      : [{ path: ['catalogue', 'failover'], atKey: true, message: 'asynchronous must be the longest: it waits for the lease to run out' }];
  return [...schedules('backup'), ...schedules('drills'), ...journals, ...order];
}

/** A certain loss within a year has no rate. */
function checkShares({ catalogue, data }: Requirements): ModelProblem[] {
  const below = (path: ModelProblem['path'], value: number) =>
    value < 1 ? [] : [{ path, message: 'must be below 1: what is certain within a year has no rate' }];
  const { disasters, site } = catalogue;
  const rare = (path: ModelProblem['path'], rate: number) =>
    rate <= disasterRateMax ? [] : [{ path, message: 'must be at most 1/day: what is destroyed more often, no copies bring back' }];
  return [
    ...rare(['catalogue', 'disasters', 'error'], disasters.error),
    ...rare(['catalogue', 'disasters', 'intruder'], disasters.intruder),
    ...rare(['catalogue', 'site', 'destroyed'], site.destroyed),
    ...below(['catalogue', 'machine', 'disk', 'afr'], catalogue.machine.disk.afr),
    ...Object.entries(catalogue.locations).flatMap(([name, { loss }]) => below(['catalogue', 'locations', name, 'loss'], loss)),
    ...(data.size > 0 ? [] : [{ path: ['data', 'size'], message: 'must be above 0' }]),
  ];
}

function checkSearch(input: Requirements): ModelProblem[] {
  const { members, sites, acknowledge, stores, backup, journal, drills, copies } = input.search;
  const most = [members, sites, acknowledge, stores, backup, journal, drills, copies ?? Object.keys(input.catalogue.copies)]
    .map(({ length }) => length)
    .reduce((product, length) => product * length, 1);
  if (most > designsMax)
    return [{ path: ['search'], atKey: true, message: `leads to ${most} designs, more than ${designsMax}: leave some out` }];
  if (designsOf(input).length > 0) return [];
  const message =
    'leaves no design: one member stands at one place and waits for nobody (acknowledge 0); with several, commits wait for fewer than there are; where commits wait, no place may hold more members than they wait for; and a backup has to end before half of the time to the next';
  return [{ path: ['search'], atKey: true, message }];
}
