import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogger } from './logger.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'holdfast-log-'))));
afterEach(() => rm(directory, { recursive: true }));

test('writes lines of JSON from its level on, with the fields of its parents, and no secret', async () => {
  const file = join(directory, 'agent.log');
  {
    await using log = openLogger({ file, level: 'info' });
    log.logger.debug('a.thing.ignored');
    log.logger.child({ node: 'db1', token: 'sesame' }).warn('a.thing.happened', { password: 'sesame', n: 1 });
    log.logger.error('a.thing.failed', { error: new Error('boo') });
  }
  const text = await readFile(file, 'utf8');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toEqual({
    level: 'warn',
    time: expect.any(String) as unknown,
    node: 'db1',
    token: '[redacted]',
    password: '[redacted]',
    n: 1,
    event: 'a.thing.happened',
  });
  expect(lines[1]).toMatchObject({ level: 'error', event: 'a.thing.failed', error: { message: 'boo' } });
  expect((await stat(file)).mode & 0o007).toBe(0);
});

test('takes and drops what comes after its end', async () => {
  const file = join(directory, 'agent.log');
  const log = openLogger({ file });
  log.logger.info('a.thing.happened');
  await log[Symbol.asyncDispose]();
  log.logger.info('a.thing.late');
  await log[Symbol.asyncDispose]();
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(1);
});

test('a reader that does not read costs lines, not time', async () => {
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const held = openSync(fifo, 'r+');
  try {
    const log = openLogger({ file: fifo });
    for (let line = 0; line < 10_000; line += 1) log.logger.info('a.thing.happened', { text: 'x'.repeat(1_000) });
    const startMs = performance.now();
    await log[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeGreaterThan(900);
  } finally {
    closeSync(held);
  }
});

test('appends to what is there', async () => {
  const file = join(directory, 'agent.log');
  for (const event of ['first.run.done', 'second.run.done']) {
    await using log = openLogger({ file });
    log.logger.info(event);
  }
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(2);
});

test('says clearly when the file can not be written', () => {
  expect(() => openLogger({ file: join(directory, 'no', 'such.log') })).toThrow(expect.objectContaining({ code: 'LOG_NOT_WRITABLE' }));
});
