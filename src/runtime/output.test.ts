import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { streamOutput } from './output.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-output-'));
afterAll(() => rmSync(directory, { recursive: true }));

const sh = (script: string, timeoutMs = 20_000, signal?: AbortSignal): AsyncGenerator<Uint8Array> =>
  streamOutput('/bin/sh', ['-c', script], { timeoutMs, ...(signal && { signal }) });

async function sizeOf(source: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of source) size += chunk.byteLength;
  return size;
}

test('all of it comes, however much', async () => expect(await sizeOf(sh('head -c 5000000 /dev/zero'))).toBe(5_000_000));

test('what has ended badly did not end well', () =>
  expect(sizeOf(sh('echo half; echo no disk >&2; exit 3'))).rejects.toMatchObject({
    code: 'PROCESS_FAILED',
    message: "'/bin/sh' ended with 3: no disk",
  }));

test('nor what was killed, or is not there', async () => {
  await expect(sizeOf(sh('kill -9 $$'))).rejects.toMatchObject({ code: 'PROCESS_FAILED', message: "'/bin/sh' ended with SIGKILL" });
  await expect(sizeOf(streamOutput('/no/such', [], { timeoutMs: 1_000 }))).rejects.toMatchObject({ code: 'PROCESS_NOT_STARTED' });
});

test('a time limit ends it and its helpers', async () => {
  const file = join(directory, 'pid');
  await expect(sizeOf(sh(`sleep 300 & echo $! > ${file}; wait`, 500))).rejects.toMatchObject({ code: 'PROCESS_TIMEOUT' });
  const status = `/proc/${readFileSync(file, 'utf8').trim()}/status`;
  const isGone = (): boolean => !existsSync(status) || /^State:\s+Z/m.test(readFileSync(status, 'utf8'));
  // A killed process ends when it next has a core.
  await expect.poll(isGone, { timeout: 10_000 }).toBe(true);
});

test('a signal ends it, and so does whoever takes no more', async () => {
  const stop = new AbortController();
  const sizes = sizeOf(sh('yes', 60_000, stop.signal));
  stop.abort(new Error('enough'));
  await expect(sizes).rejects.toThrow('enough');
  for await (const chunk of sh('yes', 60_000)) {
    expect(chunk.byteLength).toBeGreaterThan(0);
    break;
  }
});
