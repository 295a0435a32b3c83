import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../config/problem.ts';
import { readModelText } from './read.ts';

/** `LINE path: message` of each problem. */
function problemsOf(text: string): string[] {
  try {
    readModelText(text, 'model.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  }
}

describe('what is wrong with a model is told with its line', () => {
  test('values of another kind, unknown keys, gates that are none', () => {
    expect(
      problemsOf(`components:
  a: { probability: 8h }
  b: { mttr: 8h }
  c: { mtbf: 0.1 }
  d: { mtbf: 100h, mtttr: 3h }
structure:
  series:
    - { and: [a], or: [b] }
    - parallel: [b, { nott: a }]
    - 5
`),
    ).toEqual([
      "2 components.a.probability: must be a probability from 0 to 1, such as 0.001 or 0.1%, not '8h', which is a duration",
      '3 components.b: must say how it fails: rate, mtbf, afr, probability, unavailability, availability, weibull, lognormal',
      "4 components.c.mtbf: must be a duration above 0 with its unit, such as 8h, 30min, 90d or 2y, not '0.1', which is a number without a unit",
      "5 components.d.mtttr: there is no such key; did you mean 'mttr'?",
      '8 structure.series[0]: must be one gate (series, parallel, k-of-n, or, and, atleast, not, xor, nand, nor), not 2: or, and',
      '9 structure.series[1].parallel[1]: must be one gate (series, parallel, k-of-n, or, and, atleast, not, xor, nand, nor)',
      "9 structure.series[1].parallel[1].nott: there is no such key; did you mean 'not'?",
      '10 structure.series[2]: must be text, or true or false, or a mapping (key: value), not 5',
    ]);
  });

  test('names that do not exist, circles, too many of too few', () => {
    expect(
      problemsOf(`components:
  node: { mtbf: 1000h, count: 2 }
  db: { mtbf: 10h, mttr: 1h }
parts:
  x: { series: [y, db] }
  y: { series: [x] }
structure:
  series:
    - nodes.*
    - node
    - { k-of-n: 4, of: [node.*, db] }
commonCause:
  pair: { members: [node.1, db], beta: 0.1 }
sites:
  db: { members: [nod.1] }
`),
    ).toEqual([
      '6 parts.y: contains itself: x → y → x',
      "9 structure.series[0]: there is no 'nodes.*' among components, parts and sites; did you mean 'node.*'?",
      "10 structure.series[1]: 'node' are 2 parts: name one as node.1, or all as node.*",
      '11 structure.series[2].k-of-n: must be at most the number of parts, 3, not 4',
      '13 commonCause.pair.members: must be alike: a common cause group has one failure law for all its members',
      '15 sites.db: is the name of a component too; one of them needs another',
      '15 sites.db: must say how it fails by one of rate, mtbf, probability, availability',
      "15 sites.db.members[0]: there is no 'nod.1' among components; did you mean 'node.1'?",
    ]);
  });

  test('chains', () => {
    expect(
      problemsOf(`chains:
  r:
    states: { ok: up, lost: down }
    transitions:
      ok -> lost: 1/h
      ok -> lots: 1/h
      lost -> lost: 1/h
  s:
    states: { ok: up, lost: down }
    transitions: { ok -> lost: 1/h }
    compute: [transient, steady-state]
  t:
    states: { begin: up, a: up, b: down }
    transitions: { begin -> a: 1/h, a -> b: 1/h, b -> a: 1/h }
    compute: [steady-state]
  u:
    states: { ok: { initial: 0.5 }, lost: down }
    transitions: { ok -> lost: 0/h }
`),
    ).toEqual(["18 chains.u.transitions.ok -> lost: must be a rate above 0, such as 2/year, 0.001/h or 100FIT, not '0/h'"]);
    expect(
      problemsOf(`chains:
  r:
    states: { ok: up, lost: down }
    transitions:
      ok -> lots: 1/h
      lost -> lost: 1/h
  s:
    states: { ok: up, lost: down }
    transitions: { ok -> lost: 1/h }
    compute: [transient, steady-state]
  t:
    states: { begin: up, a: up, b: down }
    transitions: { begin -> a: 1/h, a -> b: 1/h, b -> a: 1/h }
    compute: [steady-state]
  u:
    states: { ok: { initial: 0.5 }, lost: down }
    transitions: { ok -> lost: 1/h }
`),
    ).toEqual([
      "5 chains.r.transitions.ok -> lots: there is no state 'lots'; did you mean 'lost'?",
      '6 chains.r.transitions.lost -> lost: leads back to itself, which changes nothing',
      "10 chains.s.compute[1]: there is no steady state to ask for: 'lost' is never left; add what leads out, or ask for absorption or survival",
      "14 chains.t.compute[0]: there is no steady state to ask for: 'begin' is left for good, or never reached, as the others do not lead back",
      '16 chains.u.states: the probabilities to begin in them (initial) must sum to 1, not 0.5',
    ]);
  });

  test('files that are none', () => {
    expect(problemsOf('')).toEqual(['1 : must be a mapping (key: value), not nothing']);
    expect(problemsOf('components: {}')).toEqual(['1 : there is nothing to compute: add structure, chains, storage or recovery']);
    expect(problemsOf('a: [')[0]).toMatch(/^\d+ : not valid YAML/);
    expect(problemsOf('sites: { x: { members: [a], mtbf: 1h } }')).toHaveLength(3);
  });
});
