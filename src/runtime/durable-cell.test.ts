import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClock } from './clock.ts';
import { openDurableCell } from './durable-cell.ts';

/** In a mount namespace of someone less than root it is refused. */
const canMount =
  process.platform === 'linux' &&
  userInfo().uid === 0 &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-cell-'));
  path = join(directory, 'promised');
});
afterEach(() => rm(directory, { recursive: true }));

const parseTerm = (value: unknown): number => {
  if (!Number.isSafeInteger(value)) throw new Error('not a whole number');
  return value as number;
};
const damaged = expect.objectContaining({ code: 'CELL_DAMAGED' }) as unknown;

test('gives back what was written last, to another opener too', async () => {
  const cell = openDurableCell(path, parseTerm);
  expect(await cell.read()).toBeUndefined();
  await cell.write(1);
  await Promise.all([cell.write(2), cell.write(3), cell.write(4)]);
  expect(await openDurableCell(path, parseTerm).read()).toBe(4);
  expect(await readdir(directory)).toEqual(['promised']);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('any JSON value survives', async () => {
  const cell = openDurableCell<unknown>(path, (value) => value);
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      await cell.write(value);
      expect(await cell.read()).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 20 },
  );
});

test('Safety: no damage is ever read as a value or as absent. Method: every truncation, and every byte flipped.', async () => {
  const cell = openDurableCell(path, parseTerm);
  await cell.write(1234567);
  const whole = await readFile(path);
  for (let length = 0; length < whole.length; length += 1) {
    await writeFile(path, whole.subarray(0, length));
    await expect(cell.read()).rejects.toThrow(damaged);
  }
  for (let index = 0; index < whole.length; index += 1) {
    const bad = Buffer.from(whole);
    bad[index]! ^= 0x01;
    await writeFile(path, bad);
    await expect(cell.read()).rejects.toThrow(damaged);
  }
});

test('what the parser refuses is damage', async () => {
  await openDurableCell<unknown>(path, (value) => value).write('a word');
  await expect(openDurableCell(path, parseTerm).read()).rejects.toThrow(/not of the right form: not a whole number/);
});

test('a failed write says so, leaves nothing behind, and does not block the next', async () => {
  const cell = openDurableCell(path, parseTerm);
  await mkdir(path);
  await expect(cell.write(1)).rejects.toThrow(expect.objectContaining({ code: 'CELL_NOT_WRITTEN' }));
  expect(await readdir(directory)).toEqual(['promised']);
  await expect(cell.read()).rejects.toThrow(damaged);
  await rm(path, { recursive: true });
  await cell.write(2);
  expect(await cell.read()).toBe(2);
});

test('Safety: a crash at any moment leaves the value before or after, never less than was confirmed. Method: SIGKILL, again and again.', async () => {
  const script = `import { openDurableCell } from ${JSON.stringify(new URL('./durable-cell.ts', import.meta.url).href)};
    const cell = openDurableCell(process.argv[1], (value) => value);
    for (let term = (await cell.read()) ?? 0; ; term += 1) { await cell.write(term); process.stdout.write(term + '\\n'); }`;
  let confirmed = 0;
  for (let round = 0; round < 6; round += 1) {
    const writer = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let written = '';
    writer.stdout.on('data', (chunk: Buffer) => (written += chunk.toString('latin1')));
    await once(writer.stdout, 'data');
    await createClock().sleep(5 + round * 7);
    writer.kill('SIGKILL');
    await once(writer, 'close');
    confirmed = Math.max(confirmed, ...written.trim().split('\n').map(Number));
    const found = await openDurableCell(path, parseTerm).read();
    expect(found).toBeGreaterThanOrEqual(confirmed);
    expect(found).toBeLessThanOrEqual(confirmed + 2);
  }
  expect(confirmed).toBeGreaterThan(0);
});

test.skipIf(!canMount)('a full disk keeps the old value, and the next write works once there is room (needs root and tmpfs)', async () => {
  const small = join(directory, 'small');
  await mkdir(small);
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
  try {
    const cell = openDurableCell<string>(join(small, 'cell'), String);
    await cell.write('before');
    await writeFile(join(small, 'filling'), Buffer.alloc(60_000 - 4_096));
    await expect(cell.write('x'.repeat(20_000))).rejects.toThrow(
      expect.objectContaining({ code: 'CELL_NOT_WRITTEN', message: expect.stringContaining('ENOSPC') as unknown }),
    );
    expect(await cell.read()).toBe('before');
    await rm(join(small, 'filling'));
    await cell.write('after');
    expect(await cell.read()).toBe('after');
  } finally {
    spawnSync('umount', ['-l', small]);
  }
});

test('a temporary file left by a crash is no obstacle', async () => {
  await writeFile(`${path}.tmp`, 'torn');
  const cell = openDurableCell(path, parseTerm);
  await cell.write(5);
  expect(await cell.read()).toBe(5);
});
