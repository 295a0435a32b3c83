import { describe, expect, test } from 'vitest';
import { RowClient } from './row-client.ts';

function clientThatSaw(...atMs: number[]): RowClient {
  const client = new RowClient('postgresql://nobody@127.0.0.1:1/postgres', 'test');
  client.acks.push(...atMs.map((ms, id) => ({ id, sentMs: ms - 2, atMs: ms, server: id % 2 })));
  return client;
}

describe('what a client saw', () => {
  test('the gap around an event begins with the last row before it', () => {
    expect(clientThatSaw(100, 120, 140, 900, 920).longestGap(150, 1_000)).toEqual({ gapMs: 760, endedMs: 900 });
  });

  test('what ended before, or begins after, is not of this event', () => {
    const client = clientThatSaw(100, 800, 820, 860, 880, 2_000);
    expect(client.longestGap(810, 1_000)).toEqual({ gapMs: 40, endedMs: 860 });
  });

  test('a row that was under way when it happened does not count as taken afterwards', () => {
    const client = clientThatSaw(100, 151, 170, 190);
    expect(client.firstSentAfter(150)?.atMs).toBe(170);
    expect(client.firstSentAfter(150, (ack) => ack.server === 1)?.atMs).toBe(190);
    expect(client.firstSentAfter(200)).toBeUndefined();
  });
});
