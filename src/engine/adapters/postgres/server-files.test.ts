import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readLogSince, readPidFile, removeStaleFiles, rotateLog, rotateLogInUse, startFailure } from './server-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-server-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('what the main process says of itself', () => {
  const write = (text: string) => writeFile(join(directory, 'postmaster.pid'), text);

  test('is read once it is written whole', async () => {
    expect(readPidFile(directory)).toBeUndefined();
    await write('4321\n/data\n1700000000\n5432\n/run\n127.0.0.1\n  5432001   42\n');
    expect(readPidFile(directory)).toEqual({ pid: 4321, status: undefined });
    await write('4321\n/data\n1700000000\n5432\n/run\n127.0.0.1\n  5432001   42\nstandby \n');
    expect(readPidFile(directory)).toEqual({ pid: 4321, status: 'standby' });
  });

  test.each(['', '\n', 'x\n', '0\n', '1\n', '99999999999999999999\n'])('%j is nobody', async (text) => {
    await write(text);
    expect(readPidFile(directory)).toBeUndefined();
  });
});

test('left-overs of a killed server are removed, and what is not there is no error', async () => {
  for (const name of ['postmaster.pid', '.s.PGSQL.5432', '.s.PGSQL.5432.lock', 'mine']) await writeFile(join(directory, name), '');
  await removeStaleFiles(directory, directory, 5432);
  await removeStaleFiles(directory, directory, 5432);
  await expect(stat(join(directory, 'postmaster.pid'))).rejects.toThrow('ENOENT');
  expect(await readFile(join(directory, 'mine'), 'utf8')).toBe('');
});

test.each([
  ['at rest', rotateLog],
  ['in use', rotateLogInUse],
])('a log that has grown too large is begun anew, one older part kept (%s)', async (_name, rotate) => {
  const log = join(directory, 'postgres.log');
  await writeFile(log, 'small');
  await rotate(log);
  expect(await readFile(log, 'utf8')).toBe('small');
  await truncate(log, 33 * 1024 * 1024);
  await rotate(log);
  await appendFile(log, 'new');
  expect(await readFile(log, 'utf8')).toBe('new');
  expect((await stat(`${log}.1`)).size).toBe(33 * 1024 * 1024);
  await rotate(join(directory, 'absent.log'));
});

test('only what was logged since is read, and of much only the end', async () => {
  const log = join(directory, 'postgres.log');
  await writeFile(log, 'before');
  await appendFile(log, 'after');
  expect(await readLogSince(log, 6)).toBe('after');
  expect(await readLogSince(log, 100)).toBe('');
  await truncate(log, 1024 * 1024);
  expect((await readLogSince(log, 0)).length).toBe(64 * 1024);
});

describe('why a server did not start', () => {
  const line = (text: string) => `2026-01-01 00:00:00.000 UTC [42] ${text}\n`;

  test.each([
    [
      'ENGINE_PORT_IN_USE',
      line('LOG:  could not bind IPv4 address "127.0.0.1": Address already in use') + line('FATAL:  could not create any TCP/IP sockets'),
    ],
    ['ENGINE_NO_SPACE', line('FATAL:  could not write lock file "postmaster.pid": No space left on device')],
    ['ENGINE_NOT_STARTED', line('FATAL:  invalid value for parameter "work_mem": "x"')],
    ['ENGINE_NOT_STARTED', ''],
  ])('is %s', (code, log) => {
    const failure = startFailure(log, '127.0.0.1:5432', 'it ended');
    expect(failure).toMatchObject({ code, retryable: true });
    expect(failure.hint).not.toBe('');
    if (log.includes('work_mem')) expect(failure.message).toMatch(/FATAL: {2}invalid value for parameter "work_mem"/);
  });
});
