import { expect, test } from 'vitest';
import { SimulatedTime } from '../sim/index.ts';
import { Calls } from './calls.ts';
import { full, notFound, unreachable } from './failures.ts';

const signal = new AbortController().signal;

function scene() {
  const time = new SimulatedTime();
  const calls = new Calls('disk', time.clock(), (error) => (error instanceof RangeError ? full('disk', error) : error));
  return { time, calls };
}

test('a call ends at once with its signal, though what it began goes on', async () => {
  const { time, calls } = scene();
  const abort = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const call = calls.run(abort.signal, () => promise);
  const reason = new Error('not wanted any more');
  abort.abort(reason);
  await expect(call).rejects.toBe(reason);
  let settled = false;
  const settling = calls.settle().then(() => (settled = true));
  await time.advance(1000);
  expect(settled).toBe(false);
  resolve();
  await settling;
});

test('what hangs is not waited for without end', async () => {
  const { time, calls } = scene();
  const abort = new AbortController();
  const call = calls.run(abort.signal, () => new Promise<never>(() => {}));
  abort.abort(new Error('not wanted any more'));
  await expect(call).rejects.toThrow();
  const settling = calls.settle();
  await time.advance(5000);
  await settling;
});

test("who tidies up is waited for, but not without end; what fails of it is nobody's", async () => {
  const { time, calls } = scene();
  const { promise, resolve } = Promise.withResolvers<void>();
  let isTidy = false;
  const tidying = calls.tidy(() => promise).then(() => (isTidy = true));
  await time.advance(1000);
  expect(isTidy).toBe(false);
  resolve();
  await tidying;
  await calls.tidy(() => Promise.reject(new Error('by the test')));
  const hanging = calls.tidy(() => new Promise<never>(() => {}));
  await time.advance(5000);
  await hanging;
});

test('nothing begins when the signal is over before', async () => {
  const { calls } = scene();
  const reason = new Error('not wanted any more');
  const began = calls.run(AbortSignal.abort(reason), () => expect.unreachable());
  await expect(began).rejects.toBe(reason);
});

test('the last call tells how the location is; where an object is missing it has answered', async () => {
  const { calls } = scene();
  const fail = async (failure: Error): Promise<unknown> => {
    try {
      return await calls.run(signal, () => Promise.reject(failure));
    } catch (error) {
      return error;
    }
  };
  expect(calls.status().state).toBe('ok');
  expect(await fail(new RangeError('no space'))).toMatchObject({ code: 'STORAGE_FULL' });
  expect(calls.status()).toMatchObject({ name: 'disk', state: 'degraded', message: 'disk is full: no space' });
  await fail(unreachable('disk', 'gone'));
  expect(calls.status()).toMatchObject({ state: 'away', message: 'disk can not be reached: gone' });
  await fail(new TypeError('a mistake of ours'));
  expect(calls.status().state).toBe('away');
  await fail(notFound('disk', 'k'));
  expect(calls.status()).toMatchObject({ state: 'ok', message: '' });
  await fail(unreachable('disk', 'gone'));
  await calls.run(signal, async () => {});
  expect(calls.status()).toMatchObject({ state: 'ok', message: '' });
});
