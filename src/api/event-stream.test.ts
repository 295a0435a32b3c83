import { expect, it } from 'vitest';
import { SimulatedTime } from '../sim/clock.ts';
import { eventStream } from './event-stream.ts';
import { TestControl } from './testing/control.ts';

function setUp(): {
  time: SimulatedTime;
  control: TestControl;
  heard: string[];
  end: AbortController;
  stuck: () => number;
  stream: AsyncGenerator<string>;
} {
  const time = new SimulatedTime();
  const control = new TestControl();
  const end = new AbortController();
  let stuck = 0;
  const stream = eventStream(control, { afterId: undefined, clock: time.clock(), signal: end.signal, onStuck: () => stuck++ });
  return { time, control, heard: [], end, stuck: () => stuck, stream };
}

it('sends something every 15 s, so that a dead connection is noticed', async () => {
  const { time, control, heard, end, stream } = setUp();
  const reading = (async () => {
    for await (const chunk of stream) heard.push(chunk);
  })();
  await time.advance(14_999);
  expect(heard).toEqual(['retry: 2000\n\n']);
  await time.advance(15_001);
  expect(heard.slice(1)).toEqual([':\n\n', ':\n\n']);
  control.happen('x\nevent: forged');
  await time.advance(1);
  expect(heard.at(-1)).toMatch(/^id: 1\nevent: x event: forged\ndata: \{.*\}\n\n$/);
  end.abort();
  await reading;
  expect(control.followers).toBe(0);
  expect(time.pending).toBe(0);
});

it('lets go of a reader that takes nothing for a minute', async () => {
  const { time, stream, stuck } = setUp();
  await stream.next();
  await time.advance(59_999);
  expect(stuck()).toBe(0);
  await time.advance(1);
  expect(stuck()).toBe(1);
});
