import { expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { createClock, createRandom } from '../runtime/index.ts';
import { EventLog } from './event-log.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };

test('a follower gets what it missed, then what happens, in order, and ends with its signal', async () => {
  const log = new EventLog(runtime, 'a');
  for (let i = 0; i < 3; i++) log.add('orders', 'member.state', { i });
  const stop = new AbortController();
  const seen: number[] = [];
  const done = (async () => {
    for await (const event of log.follow({ afterId: 1, signal: stop.signal })) {
      seen.push(event.id);
      if (seen.length === 4) stop.abort();
    }
  })();
  await Promise.resolve();
  log.add('orders', 'member.state', {});
  log.add(undefined, 'agent.started', {});
  await done;
  expect(seen).toEqual([2, 3, 4, 5]);
});

test('without a position only what comes is told; what is older than the memory is gone', async () => {
  const log = new EventLog(runtime, 'a');
  for (let i = 0; i < 1_500; i++) log.add('orders', 'x', {});
  const stop = new AbortController();
  const ids: number[] = [];
  for await (const event of log.follow({ afterId: 0, signal: stop.signal })) {
    ids.push(event.id);
    if (event.id === 1_500) stop.abort();
  }
  expect(ids[0]).toBe(501);
  expect(ids).toHaveLength(1_000);
});

test('a follower that comes back after a restart of the agent gets all that happened since', async () => {
  const log = new EventLog(runtime, 'a');
  log.add(undefined, 'agent.started', {});
  const stop = new AbortController();
  for await (const event of log.follow({ afterId: 700, signal: stop.signal })) {
    expect(event).toMatchObject({ id: 1, kind: 'agent.started' });
    stop.abort();
  }
});
