import { expect, test } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { SimulatedTime } from '../sim/index.ts';
import { makeOfCopies } from './copies-source.ts';

/** Copies that end too soon so many times; when each attempt was made, and whether it asked anew. */
async function attempts(unfit: number, code = 'ENGINE_COPIES_UNFIT') {
  const time = new SimulatedTime();
  const clock = time.clock();
  const made: string[] = [];
  const stop = new AbortController();
  const make = (anew: boolean): Promise<void> => {
    made.push(`${clock.monotonicMs()} ${anew}`);
    return made.length <= unfit ? Promise.reject(new HoldfastError(code, 'they end too soon')) : Promise.resolve();
  };
  const ended = makeOfCopies(make, clock, stop.signal).then(
    () => 'made',
    (error: unknown) => error,
  );
  await time.advance(3_000);
  return { made, stop, ended, later: () => time.advance(60_000) };
}

test('copies that the leader does not continue yet are looked at again, for some seconds', async () => {
  const soon = await attempts(2);
  await soon.later();
  expect(await soon.ended).toBe('made');
  expect(soon.made).toEqual(['0 false', '2000 true', '4000 true']);
  const never = await attempts(Infinity);
  await never.later();
  expect(await never.ended).toMatchObject({ code: 'ENGINE_COPIES_UNFIT' });
  expect(never.made).toHaveLength(5);
});

test('what else is wrong is told at once, and who is told to stop waits no longer', async () => {
  const broken = await attempts(1, 'BACKUP_DAMAGED');
  expect(await broken.ended).toMatchObject({ code: 'BACKUP_DAMAGED' });
  const stopped = await attempts(Infinity);
  stopped.stop.abort(new Error('another leads'));
  await stopped.later();
  expect(await stopped.ended).toMatchObject({ message: 'another leads' });
  expect(stopped.made).toHaveLength(2);
});
