import type { FileHandle } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createClock } from '../../../runtime/clock.ts';
import { Calls } from '../../calls.ts';
import { explainErrno } from './failure.ts';
import { LocalDraft } from './local-draft.ts';

const signal = new AbortController().signal;

test('Safety: a draft that its disk could not take once gets no key, though the system says later that all is flushed', async () => {
  let flushes = 0;
  // As Linux does: an error of writing is told once.
  const datasync = async (): Promise<void> => {
    flushes += 1;
    if (flushes === 1) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', syscall: 'fdatasync' });
  };
  const file = { datasync, close: async () => {} } as unknown as FileHandle;
  const named: string[] = [];
  let isRemoved = false;
  const calls = new Calls('disk', createClock(), (error) => explainErrno('disk', error));
  const draft = new LocalDraft(
    file,
    calls,
    async (key, flushed) => {
      await flushed;
      named.push(key);
    },
    async () => void (isRemoved = true),
  );
  for (let tries = 0; tries < 3; tries += 1)
    await expect(draft.put('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  await draft[Symbol.asyncDispose]();
  expect({ named, isRemoved }).toEqual({ named: [], isRemoved: true });
});
