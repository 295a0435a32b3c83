import { chmod, lstat, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EngineContext } from '../../engine.ts';
import { keepRunDirectory, openPlaces, requireReachable } from './places.ts';

const stranger = { uid: 54_321, gid: 54_321, name: 'stranger' };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-places-'));
  await chmod(directory, 0o755);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function context(stateDir: string): EngineContext {
  return { cluster: 'c', service: 's', node: 'n', stateDir, account: undefined };
}

test('links on the way to the data are resolved, also where the end is not there yet', async () => {
  await mkdir(join(directory, 'disk', 'state'), { recursive: true });
  await symlink(join(directory, 'disk'), join(directory, 'link'));
  const places = await openPlaces(join(directory, 'link', 'new', 'data'), context(join(directory, 'disk', 'state')));
  expect(places.data).toBe(join(directory, 'disk', 'new', 'data'));
});

test('a socket fits below the run directory, however long the state directory is', async () => {
  const stateDir = join(directory, 'x'.repeat(100));
  await mkdir(stateDir);
  const { run } = await openPlaces(join(directory, 'data'), context(stateDir));
  expect(Buffer.byteLength(`${run}/.s.PGSQL.65535.lock`)).toBeLessThanOrEqual(107);
  expect((await lstat(run)).mode & 0o777).toBe(0o700);
  await rm(run, { recursive: true });
});

test('a run directory that was tidied away is made again', async () => {
  const places = await openPlaces(join(directory, 'data'), context(directory));
  await rm(places.run, { recursive: true });
  await keepRunDirectory(places, undefined);
  expect((await lstat(places.run)).isDirectory()).toBe(true);
});

test('a link in the place of the run directory is not followed', async () => {
  const places = await openPlaces(join(directory, 'data'), context(directory));
  await rm(places.run, { recursive: true });
  await mkdir(join(directory, 'elsewhere'));
  await symlink(join(directory, 'elsewhere'), places.run);
  await expect(keepRunDirectory(places, undefined)).rejects.toThrow(/not a directory of ours/);
});

test('a directory that keeps the account out is named', async () => {
  const closed = join(directory, 'closed');
  await mkdir(join(closed, 'inner'), { recursive: true });
  await chmod(closed, 0o700);
  await expect(requireReachable(join(closed, 'inner', 'data'), stranger)).rejects.toMatchObject({
    code: 'ENGINE_UNSUITABLE',
    message: expect.stringContaining(`'${closed}'`),
  });
  await chmod(closed, 0o711);
  await requireReachable(join(closed, 'inner', 'data'), stranger);
  await requireReachable(join(closed, 'inner', 'data'), undefined);
});
