import { expect, test } from 'vitest';
import { journalWorld, service } from '../testing/journal-world.ts';
import { openMemoryRepository } from '../testing/repositories.ts';
import { parseJournalKey } from './journal-key.ts';
import { decodePart } from './journal-part.ts';
import { readMarks } from './marks.ts';

const { signal } = new AbortController();

async function world(seed?: number) {
  const made = await journalWorld(seed);
  const { time, random, wal, start, objects, fail, clock } = made;
  const reading = await openMemoryRepository({ objects });
  return {
    time,
    random,
    wal,
    fail,
    start,
    end: () => ({ timeline: wal.timeline, lsn: wal.lsn }),
    serverMs: () => clock.wallMs() + wal.clockOffsetMs,
    keys: () => [...objects.keys()].flatMap((key) => parseJournalKey(service, key) ?? []),
    marks: () => readMarks({ repository: reading, service, systemId: wal.systemId }, { signal }),
    part: async (key: string) => {
      const found = parseJournalKey(service, key);
      if (found?.kind !== 'part') return undefined;
      const expected = { service, systemId: wal.systemId, range: found.range, key };
      return decodePart(await reading.location.get(key, { signal }), expected, reading.parts.files.key);
    },
    objects,
  };
}

test('in a quiet time one small object for each timeline says up to when nothing was written', async () => {
  const w = await world();
  const { stop, journal } = w.start();
  await w.time.advance(2_000);
  w.wal.write(5_000);
  await w.time.advance(300_000);
  const [seenMs, nowMs] = [(await w.marks()).seenAt(w.end())!, w.serverMs()];
  expect(seenMs).toBeLessThan(nowMs);
  expect(seenMs).toBeGreaterThan(nowMs - 10_000);
  expect(journal.status().storedSentMs).toBeGreaterThan(nowMs - 1_000);
  w.wal.write(1);
  expect((await w.marks()).seenAt(w.end())).toBeUndefined();
  w.wal.promote(2);
  w.wal.write(10);
  await w.time.advance(60_000);
  expect((await w.marks()).seenAt(w.end())).toBeGreaterThan(w.serverMs() - 12_000);
  await stop();
  expect(w.keys().filter(({ kind }) => kind === 'seen')).toHaveLength(2);
  expect(w.keys().filter(({ kind }) => kind === 'clock')).toHaveLength(0);
});

test('a clock that goes back makes the times that come twice ambiguous, and no other', async () => {
  const w = await world();
  const first = w.start();
  const begin = { lsn: w.wal.lsn, ms: w.serverMs() };
  await w.time.advance(60_000);
  w.wal.write(500);
  await w.time.advance(60_000);
  const lastMs = w.serverMs();
  w.wal.clockOffsetMs = -50_000;
  const firstMs = w.serverMs();
  await w.time.advance(5_000);
  w.wal.write(500);
  await w.time.advance(100_000);
  const marks = await w.marks();
  const history = { timeline: 1, ancestors: [] };
  for (const ms of [firstMs + 1_000, (firstMs + lastMs) / 2, lastMs]) expect(marks.stepOver(ms, history, begin.lsn)).toBeDefined();
  for (const ms of [begin.ms, firstMs - 1, lastMs + 2_000]) expect(marks.stepOver(ms, history, begin.lsn)).toBeUndefined();
  // A base backup made after it knows one meaning only.
  expect(marks.stepOver(lastMs, history, w.wal.lsn)).toBeUndefined();
  // What is reached is told by the clock as it is now.
  expect(marks.seenAt(w.end())).toBeLessThanOrEqual(w.serverMs());
  // While nobody looked, too.
  await first.stop();
  w.wal.clockOffsetMs -= 3_600_000;
  const second = w.start();
  await w.time.advance(20_000);
  await second.stop();
  expect(w.keys().filter(({ kind }) => kind === 'clock')).toHaveLength(2);
});

test.each(Array.from({ length: 15 }, (_, index) => index + 1))(
  'Safety: nothing that was written by a time is missing up to where that time is said to be stored. Method: chance by seed, and outages. Seed %i',
  async (seed) => {
    const w = await world(seed);
    const written: { ms: number; timeline: number; lsn: bigint }[] = [];
    let running = w.start();
    await w.time.advance(2_000);
    for (let step = 0; step < 50; step++) {
      w.fail({ cutBefore: w.random.next() < 0.4 ? 0.9 : 0 });
      if (w.random.next() < 0.6) w.wal.write(1 + Math.floor(w.random.next() * 20_000));
      if (w.random.next() < 0.05) w.wal.promote(w.wal.timeline + 1);
      written.push({ ms: w.serverMs(), timeline: w.wal.timeline, lsn: w.wal.lsn });
      if (w.random.next() < 0.1) {
        await running.stop();
        running = w.start();
      }
      await w.time.advance(1 + Math.floor(w.random.next() * 8_000));
    }
    w.fail({ cutBefore: 0 });
    await w.time.advance(60_000);
    await running.stop();
    const claims: { timeline: number; lsn: bigint; ms: number }[] = [];
    for (const key of w.objects.keys()) {
      const part = await w.part(key);
      if (part !== undefined) claims.push({ timeline: part.range.timeline, lsn: part.range.end, ms: part.sentMs });
    }
    expect(claims.some(({ ms }) => ms > 0)).toBe(true);
    for (const { ms, lsn } of claims)
      for (const one of written)
        if (one.ms < ms) expect(one.lsn, `by ${one.ms}, stored to ${lsn} said to be of ${ms}`).toBeLessThanOrEqual(lsn);
    expect((await w.marks()).seenAt(w.end())).toBeGreaterThan(w.serverMs() - 12_000);
  },
);
