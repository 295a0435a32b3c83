import { expect, test } from 'vitest';
import type { Outcome, SystemCalls } from '../system.ts';
import { Flusher } from './flusher.ts';
import { createRestoreIssues } from './issues.ts';

const mebibyte = 1024 * 1024;

/** A disk that is done when it is told so: what it has been asked for, and how to end it. */
function slowDisk(): { readonly calls: SystemCalls; readonly asked: PromiseWithResolvers<Outcome<void>>[] } {
  const asked: PromiseWithResolvers<Outcome<void>>[] = [];
  const syncFileSystem = (): Promise<Outcome<void>> => {
    asked.push(Promise.withResolvers());
    return asked.at(-1)!.promise;
  };
  return { calls: { syncFileSystem } as unknown as SystemCalls, asked };
}

const done: Outcome<void> = { value: undefined, errno: 0 };
const ioError: Outcome<void> = { value: undefined, errno: 5 };

test('begins with what was written, once at a time, and ends with all of it', async () => {
  const { calls, asked } = slowDisk();
  const issues = createRestoreIssues();
  const flusher = new Flusher(calls, '/', issues);
  flusher.wrote(mebibyte);
  expect(asked.length).toBe(0);
  flusher.wrote(100 * mebibyte);
  flusher.wrote(900 * mebibyte);
  expect(asked.length).toBe(1);
  const end = flusher.end();
  asked[0]!.resolve(done);
  await expect.poll(() => asked.length).toBe(2);
  asked[1]!.resolve(done);
  await end;
  expect(issues.count).toBe(0);
});

test('has the disk write what there is when nothing more comes for a while, and nothing twice', async () => {
  const { calls, asked } = slowDisk();
  const flusher = new Flusher(calls, '/', createRestoreIssues());
  flusher.wrote(100 * mebibyte);
  flusher.pause(101 * mebibyte);
  expect(asked.length).toBe(2);
  for (const { resolve } of asked) resolve(done);
  flusher.pause(101 * mebibyte);
  expect(asked.length).toBe(2);
  const end = flusher.end();
  await expect.poll(() => asked.length).toBe(3);
  asked[2]!.resolve(done);
  await end;
});

test('what an early sync could not write is told, though the last one knows nothing of it', async () => {
  const { calls, asked } = slowDisk();
  const issues = createRestoreIssues();
  const flusher = new Flusher(calls, '/', issues);
  flusher.wrote(100 * mebibyte);
  asked[0]!.resolve(ioError);
  const end = flusher.end();
  await expect.poll(() => asked.length).toBe(2);
  asked[1]!.resolve(done);
  await end;
  expect(issues.told).toEqual([{ path: '/', kind: 'unwritable', message: 'its file system can not be written out (errno 5)' }]);
});

test('a process for system calls that has ended is told at the end', async () => {
  const { calls, asked } = slowDisk();
  const flusher = new Flusher(calls, '/', createRestoreIssues());
  flusher.wrote(100 * mebibyte);
  asked[0]!.reject(new Error('gone'));
  const end = flusher.end();
  await expect.poll(() => asked.length).toBe(2);
  asked[1]!.reject(new Error('gone'));
  await expect(end).rejects.toThrow('gone');
});
