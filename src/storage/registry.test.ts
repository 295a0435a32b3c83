import { renameSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../core/clock.ts';
import { silentLogger } from '../core/logger.ts';
import { createClock } from '../runtime/clock.ts';
import { createRandom } from '../runtime/random.ts';
import { isCombined } from './combinators/combined.ts';
import { type LocationConfigInput, locationSchema } from './config.ts';
import { openLocation, openMemoryLocation } from './registry.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const signal = new AbortController().signal;
const bytes = new TextEncoder().encode('bytes');

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-registry-'));
  for (const name of ['a', 'b', 'c']) await mkdir(join(directory, name));
});
afterEach(() => rm(directory, { recursive: true }));

const open = (name: string, inputs: Readonly<Record<string, LocationConfigInput>>) =>
  openLocation(name, Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, locationSchema.parse(input)])), runtime, {
    signal,
  });
const places = (): Record<'a' | 'b' | 'c', LocationConfigInput> => ({
  a: { path: join(directory, 'a') },
  b: { path: join(directory, 'b'), limits: { upload: '100MiB/s', download: '100MiB/s' } },
  c: { path: join(directory, 'c') },
});

test('opens a place, and locations made of places and of such locations', async () => {
  const inputs = { ...places(), twice: { mirror: ['a', 'b'] }, spread: { parity: { data: 1, parity: 1, over: ['twice', 'c'] } } };
  // What is new beside what holds something is compared with it first: so all of it is made at once.
  for (const name of ['spread', 'twice', 'a']) {
    await using location = await open(name, inputs);
    expect(location.name).toBe(name);
    await location.put(`k/${name}`, [bytes], { signal });
    expect(await location.get(`k/${name}`, { signal })).toEqual(bytes);
    expect(location.status()).toMatchObject({ name, state: 'ok' });
  }
  expect(await readdir(join(directory, 'b/k'))).toContain('twice');
});

test('opens one that is away: its calls say why, until it comes', async () => {
  const late = join(directory, 'late');
  await using location = await open('late', { late: { path: late } });
  expect(location.status()).toMatchObject({ state: 'away', message: expect.stringContaining(late) as unknown });
  await mkdir(late);
  await location.put('k', [bytes], { signal });
  expect(location.status()).toMatchObject({ state: 'ok', message: '' });
});

test('one that answered and has no others beside it is waited for; one of several is not for long', async () => {
  const [here, away] = ['here', 'moved'].map((name) => join(directory, name)) as [string, string];
  await mkdir(here);
  const clock: Clock = { ...createClock(), sleep: () => Promise.resolve() };
  const inputs = { ...places(), here: { path: here }, twice: { mirror: ['a', 'here'] } };
  const locations = Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, locationSchema.parse(input)]));
  const triesOf = async (name: string): Promise<number> => {
    let tries = 0;
    const logger = {
      ...silentLogger,
      debug: (event: string): void => {
        if (event === 'storage.call.retried' && ++tries === 15) renameSync(away, here);
      },
    };
    await using location = await openLocation(name, locations, { ...runtime, clock, logger }, { signal });
    await location.put('k/first', [bytes], { signal });
    await rename(here, away);
    await location.put('k/second', [bytes], { signal });
    return tries;
  };
  expect(await triesOf('here')).toBe(15);
  expect(await triesOf('twice')).toBeLessThan(15);
});

test('opens a mirror of which a part is away', async () => {
  await using location = await open('twice', { ...places(), b: { path: join(directory, 'none') }, twice: { mirror: ['a', 'b'] } });
  expect(location.status().parts.map(({ state }) => state)).toContain('away');
});

test.each<[string, string, Readonly<Record<string, LocationConfigInput>>, string]>([
  ['an unknown name', 'x', { a: { path: '/' } }, "there is no location 'x'"],
  ['an inherited name', 'toString', {}, "there is no location 'toString'"],
  ['an unknown part', 'm', { m: { mirror: ['x', 'y'] } }, "there is no location 'x'"],
  ['itself', 'm', { m: { mirror: ['m', 'm'] } }, 'm → m'],
  ['a circle', 'm', { m: { mirror: ['n', 'a'] }, n: { parity: { data: 1, parity: 1, over: ['m', 'a'] } }, a: { path: '/' } }, 'm → n → m'],
])('refuses %s', async (_, name, inputs, message) => {
  await expect(open(name, inputs)).rejects.toMatchObject({
    code: 'STORAGE_UNSUITABLE',
    message: expect.stringContaining(message) as unknown,
  });
});

test('opens nothing when its signal is over', async () => {
  const reason = new Error('not wanted any more');
  const opening = openLocation('a', { a: locationSchema.parse({ path: join(directory, 'a') }) }, runtime, {
    signal: AbortSignal.abort(reason),
  });
  await expect(opening).rejects.toBe(reason);
});

test.each<[string, LocationConfigInput]>([
  ['two kinds', { path: '/a', mirror: ['b', 'c'] }],
  ['none', {}],
  ['bandwidth of what is made of others', { mirror: ['a', 'b'], limits: { upload: '1MiB/s' } }],
  ['a key without its secret', { s3: { bucket: 'abc', accessKey: '${KEY}' } }],
  ['a prefix that leads away', { s3: { bucket: 'abc', prefix: '../other' } }],
  ['a prefix that ends in a slash', { s3: { bucket: 'abc', prefix: 'a/' } }],
  ['a key and a password', { sftp: { host: 'h', user: 'u', path: 'p', key: '/k', password: '${P}' } }],
  [
    'a fingerprint and a file of known hosts',
    { sftp: { host: 'h', user: 'u', path: 'p', knownHosts: '/k', fingerprint: `SHA256:${'a'.repeat(43)}` } },
  ],
  ['an MD5 fingerprint', { sftp: { host: 'h', user: 'u', path: 'p', fingerprint: '16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48' } }],
])('a configuration has no %s', (_, input) => {
  expect(locationSchema.safeParse(input).success).toBe(false);
});

test('opens a place in memory', async () => {
  await using location = await openMemoryLocation('memory', runtime);
  await location.put('k', [bytes], { signal });
  expect(await location.get('k', { signal })).toEqual(bytes);
});

test('a part that is away when it is opened keeps nobody waiting, and is caught up when it comes', async () => {
  const retried: unknown[] = [];
  const logger = { ...silentLogger, debug: (event: string) => void (event === 'storage.call.retried' && retried.push(event)) };
  const inputs = {
    ...places(),
    late: { path: join(directory, 'later') },
    all: { parity: { data: 2, parity: 1, over: ['a', 'b', 'late'] } },
  };
  const locations = Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, locationSchema.parse(input)]));
  await using location = await openLocation('all', locations, { ...runtime, logger }, { signal });
  expect(location.status().state).toBe('degraded');
  await location.put('k/late', [bytes], { signal });
  expect(await location.get('k/late', { signal })).toEqual(bytes);
  expect(retried).toEqual([]);
  expect(location.status()).toMatchObject({ state: 'degraded', parts: [{}, {}, { name: 'late', state: 'away', behindObjects: 1 }] });
  await mkdir(join(directory, 'later'));
  if (!isCombined(location)) throw new Error('it is made of locations');
  expect(await location.catchUp({ signal })).toMatchObject({ done: 1, open: [] });
  expect(location.status()).toMatchObject({ state: 'ok', behindObjects: 0 });
});
