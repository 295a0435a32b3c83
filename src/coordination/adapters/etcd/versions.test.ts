import { expect, it } from 'vitest';
import { flawsOf, isTooOld } from './versions.ts';

const both = ['20547', '20418'];

it.each([
  ['3.4.23', both, ['3.4.38', '3.4.42']],
  ['3.4.37', both, ['3.4.38', '3.4.42']],
  ['3.4.38', ['20418'], ['3.4.42']],
  ['3.4.42', [], []],
  ['3.5.22', both, ['3.5.23', '3.5.28']],
  ['3.5.23', ['20418'], ['3.5.28']],
  ['3.5.28', [], []],
  ['3.5.0-rc.1', both, ['3.5.23', '3.5.28']],
  ['3.6.4', both, ['3.6.5', '3.6.9']],
  ['3.6.10', [], []],
  ['3.7.0', [], []],
  ['4.0.0', [], []],
  ['3.3.27', both, ['3.4.38', '3.4.42']],
  ['unknown', [], []],
])('etcd %s has the flaws %j', (version, issues, releases) => {
  const flaws = flawsOf(version);
  expect(flaws.map(({ flaw }) => /issue (\d+)/.exec(flaw)?.[1])).toEqual(issues);
  expect(flaws.map(({ fixedIn }) => fixedIn)).toEqual(releases);
});

it.each([
  ['3.3.27', true],
  ['2.3.8', true],
  ['3.4.0', false],
  ['3.10.0', false],
  ['?', false],
])('etcd %s is too old: %j', (version, tooOld) => {
  expect(isTooOld(version)).toBe(tooOld);
});
