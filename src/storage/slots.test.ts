import { expect, test } from 'vitest';
import { Slots } from './slots.ts';

const signal = new AbortController().signal;

/** Takes a slot and tells when it has it. */
function taking(slots: Slots, log: string[], name: string, abort: AbortSignal = signal): Promise<Disposable | undefined> {
  return slots.take(abort).then(
    (slot) => {
      log.push(name);
      return slot;
    },
    () => void log.push(`${name} gave up`),
  );
}

test('lets so many in, the others in their order', async () => {
  const slots = new Slots(2);
  const log: string[] = [];
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => taking(slots, log, name));
  const first = await a!;
  await b;
  expect(log).toEqual(['a', 'b']);
  first![Symbol.dispose]();
  first![Symbol.dispose]();
  const third = await c!;
  expect(log).toEqual(['a', 'b', 'c']);
  third![Symbol.dispose]();
  await d;
  expect(log).toEqual(['a', 'b', 'c', 'd']);
});

test('who gives up leaves the queue, and no slot is lost', async () => {
  const slots = new Slots(1);
  const log: string[] = [];
  const abort = new AbortController();
  const first = await slots.take(signal);
  const second = taking(slots, log, 'second', abort.signal);
  const third = taking(slots, log, 'third');
  abort.abort(new Error('enough'));
  await second;
  first[Symbol.dispose]();
  (await third)![Symbol.dispose]();
  (await slots.take(signal))[Symbol.dispose]();
  expect(log).toEqual(['second gave up', 'third']);
  await expect(slots.take(abort.signal)).rejects.toThrow('enough');
});

test('a slot that comes together with the abort is not lost', async () => {
  const slots = new Slots(1);
  const abort = new AbortController();
  const first = await slots.take(signal);
  const second = slots.take(abort.signal);
  first[Symbol.dispose]();
  abort.abort(new Error('too late'));
  (await second)[Symbol.dispose]();
  (await slots.take(signal))[Symbol.dispose]();
});
