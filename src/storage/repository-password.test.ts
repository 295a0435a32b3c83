import { expect, test } from 'vitest';
import type { LocationConfig } from './config.ts';
import { repositoryPassword } from './repository-password.ts';

const secret = (value: string): LocationConfig['password'] => ({ reveal: () => value }) as LocationConfig['password'];
const locations = {
  disk: { path: '/a' },
  cloud: { path: '/b' },
  vault: { path: '/c', password: secret('its own') },
  share: { path: '/d' },
  lonely: { path: '/e' },
  offsite: { mirror: ['disk', 'inner'], password: secret('the mirror’s') },
  inner: { mirror: ['cloud', 'vault'] },
  coded: { parity: { data: 1, parity: 1, over: ['share', 'lonely'] }, password: secret('of shards') },
  circle: { mirror: ['circle', 'lonely'] },
} satisfies Record<string, LocationConfig>;
const of = (name: string, more: Record<string, LocationConfig> = {}): string | undefined =>
  repositoryPassword(name, { ...locations, ...more })?.reveal();

test('what is left of a mirror is opened with the password of the mirror', () => {
  expect(of('offsite')).toBe('the mirror’s');
  expect(of('disk')).toBe('the mirror’s');
  expect(of('cloud'), 'of a mirror within a mirror').toBe('the mirror’s');
  expect(of('vault')).toBe('its own');
});

test('none is guessed: not for shards, not where mirrors differ, not for a name that is nobody’s', () => {
  expect(of('share')).toBeUndefined();
  expect(of('lonely')).toBeUndefined();
  expect(of('nowhere')).toBeUndefined();
  expect(of('constructor')).toBeUndefined();
  const second = (password: string): Record<string, LocationConfig> => ({ other: { mirror: ['disk'], password: secret(password) } });
  expect(of('disk', second('another'))).toBeUndefined();
  expect(of('disk', second('the mirror’s'))).toBe('the mirror’s');
});
