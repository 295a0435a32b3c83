import { expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { SimulatedTime } from '../sim/clock.ts';
import { RenewedSession } from './renewed-session.ts';
import { sentNow } from './validity.ts';

type Answer = 'renewed' | 'gone' | 'unreachable';

/** A session of 1 s whose store answers as it is told; every answer takes 10 ms. */
function begin(answer: () => Answer) {
  const time = new SimulatedTime();
  const clock = time.clock();
  const calls: string[] = [];
  const session = new RenewedSession(
    clock,
    {
      id: 's',
      ttlMs: 1_000,
      renew: async ({ timeoutMs, signal }) => {
        calls.push(`renew at ${Math.round(clock.monotonicMs())} within ${timeoutMs}`);
        await clock.sleep(10, signal);
        const said = answer();
        if (said === 'unreachable') throw new HoldfastError('COORD_UNREACHABLE', 'away', { retryable: true });
        return said === 'renewed';
      },
      end: async () => {
        calls.push('end');
        if (answer() === 'unreachable') throw new HoldfastError('COORD_UNREACHABLE', 'away', { retryable: true });
      },
    },
    { sent: sentNow(clock), name: 'test' },
  );
  return { time, clock, calls, session };
}

it('renews every quarter of its TTL, and counts from when it asked', async () => {
  const { time, calls, session } = begin(() => 'renewed');
  await time.advance(790);
  expect(calls).toEqual(['renew at 250 within 250', 'renew at 510 within 250', 'renew at 770 within 250']);
  expect(session.validUntilMs).toBe(770 + 850);
  expect(session.state).toBe('live');
  await session.close();
  expect(calls.at(-1)).toBe('end');
  expect(time.pending).toBe(0);
});

it('is suspended while it can not be renewed, asks often, and lives on if it can again', async () => {
  let answer: Answer = 'unreachable';
  const { time, calls, session } = begin(() => answer);
  await time.advance(600);
  expect(session.state).toBe('suspended');
  expect(calls.length).toBeGreaterThan(4);
  answer = 'renewed';
  await time.advance(100);
  expect(session.state).toBe('live');
  await time.advance(2_000);
  session.assertValid();
});

it('is lost when it could not be renewed in time, and asks no more', async () => {
  const { time, calls, session } = begin(() => 'unreachable');
  await time.advance(852);
  expect(session.state).toBe('lost');
  expect(session.signal.reason).toMatchObject({ code: 'COORD_SESSION_LOST' });
  const asked = calls.length;
  await time.advance(5_000);
  expect(calls).toHaveLength(asked);
});

it('is lost at once when the store says that it is gone', async () => {
  const { time, session } = begin(() => 'gone');
  await time.advance(300);
  expect(session.state).toBe('lost');
  expect(time.pending).toBe(0);
});

it('can be closed again when the store could not be told; disposal does not mind', async () => {
  let answer: Answer = 'unreachable';
  const { calls, session } = begin(() => answer);
  await expect(session.close()).rejects.toMatchObject({ code: 'COORD_UNREACHABLE' });
  expect(session.signal.aborted, 'nobody relies on it from then on').toBe(true);
  await session[Symbol.asyncDispose]();
  answer = 'renewed';
  await session.close();
  await session.close();
  expect(calls).toEqual(['end', 'end', 'end']);
});
