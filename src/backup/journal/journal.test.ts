import { describe, expect, test } from 'vitest';
import { segmentName } from '../../core/lsn.ts';
import { randomSealingKey } from '../crypto/seal.ts';
import { expectStored, journalWorld, service } from '../testing/journal-world.ts';
import { decodePart, encodePart, partBytesMax } from './journal-part.ts';

test('what came is stored within the interval, and only then confirmed', async () => {
  const w = await journalWorld();
  const { journal, stop } = w.start();
  await w.time.advance(2_000);
  w.wal.write(5_000);
  const before = w.wal.confirmed;
  expect(before < w.wal.lsn).toBe(true);
  await w.time.advance(1_050);
  expect(journal.status()).toMatchObject({ state: 'running', lagBytes: 0, gaps: [], stored: { timeline: 1, lsn: w.wal.lsn } });
  expect(w.wal.confirmed).toBe(w.wal.lsn);
  // Nobody knows what was written since.
  expect(journal.status().lagMs).toBeLessThan(1_100);
  await stop();
  expect(journal.status().state).toBe('ended');
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

test('between two looks the server has nothing to do with it, and a quiet one is only asked', async () => {
  const w = await journalWorld();
  const { stop } = w.start();
  await w.time.advance(2_000);
  const [asked, reads] = [w.wal.asked, w.wal.reads];
  for (let second = 0; second < 60; second++) {
    await w.time.advance(1_000);
    expect(w.wal.streams).toBe(0);
  }
  expect(w.wal.reads).toBe(reads);
  expect(w.wal.asked - asked).toBeLessThanOrEqual(61);
  await stop();
});

test('with a long interval a part is put when it is due or as large as may be, and a quiet time is known all the same', async () => {
  const w = await journalWorld(1, { intervalMs: 600_000 });
  const { journal, stop } = w.start();
  await w.time.advance(2_000);
  w.wal.write(5_000);
  await w.time.advance(580_000);
  const { stored, lagBytes, lagMs } = journal.status();
  expect({ behind: w.wal.lsn - stored!.lsn, lagBytes }).toEqual({ behind: 5_000n, lagBytes: 5_000 });
  expect(lagMs).toBeGreaterThan(570_000);
  await w.time.advance(30_000);
  expect(journal.status()).toMatchObject({ lagBytes: 0, stored: { lsn: w.wal.lsn } });
  // Now it waits anew, but not for as much as this.
  w.wal.write(partBytesMax + 1);
  await w.time.advance(15_000);
  expect(journal.status()).toMatchObject({ lagBytes: 0, stored: { lsn: w.wal.lsn } });
  await w.time.advance(120_000);
  expect(journal.status().lagMs).toBeLessThan(2_100);
  await stop();
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

test('what waits at the server for a location that is slow or away counts as behind', async () => {
  const w = await journalWorld(1, { slowMs: 30_000 });
  const { journal, stop } = w.start();
  await w.time.advance(2_000);
  for (const rates of [{ slow: 1 }, { cutBefore: 1 }]) {
    w.fail(rates);
    w.wal.write(5_000);
    await w.time.advance(20_000);
    expect(journal.status().lagBytes).toBe(5_000);
    expect(journal.status().lagMs).toBeGreaterThan(18_900);
    expect(w.wal.streams).toBe(0);
    w.fail({});
    await w.time.advance(60_000);
    expect(journal.status()).toMatchObject({ state: 'running', lagBytes: 0 });
  }
  await stop();
});

test('a location that is away costs nothing but time', async () => {
  const w = await journalWorld();
  const { journal, stop } = w.start();
  await w.time.advance(100);
  w.fail({ cutBefore: 1 });
  w.wal.write(50_000);
  await w.time.advance(60_000);
  expect(journal.status().state).toBe('failing');
  w.fail({});
  await w.time.advance(40_000);
  expect(journal.status()).toMatchObject({ state: 'running', lagBytes: 0, gaps: [] });
  await stop();
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

test('a server is not left with a stream that nobody reads, however slow the location is', async () => {
  const w = await journalWorld(1, { intervalMs: 0, slowMs: 30_000, bufferedBytesMax: 10_000 });
  const { journal, stop } = w.start();
  await w.time.advance(2_000);
  expect(w.wal.streams).toBe(1);
  w.fail({ slow: 1 });
  w.wal.write(100_000);
  await w.time.advance(5_000);
  expect(journal.status().lagBytes).toBeGreaterThan(0);
  expect(w.wal.streams).toBe(0);
  await w.time.advance(40 * 30_000);
  expect(journal.status()).toMatchObject({ state: 'running', lagBytes: 0, gaps: [] });
  await stop();
  expect(w.wal.streams).toBe(0);
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

test('where commits wait, nothing is confirmed that a location has not stored, and how long it takes is told', async () => {
  const w = await journalWorld(1, { intervalMs: 0, slowMs: 120_000 });
  const { journal, stop } = w.start();
  await w.time.advance(2_000);
  const before = w.wal.confirmed;
  w.fail({ slow: 1 });
  w.wal.write(5_000);
  await w.time.advance(60_000);
  expect(w.wal.confirmed).toBe(before);
  expect(journal.status()).toMatchObject({ state: 'running', lagBytes: 5_000 });
  expect(journal.status().lagMs).toBeGreaterThan(59_000);
  w.fail({});
  await w.time.advance(70_000);
  expect(w.wal.confirmed).toBe(w.wal.lsn);
  await stop();
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

test('where commits wait, a location that comes back is found soon, and not asked all the time while it is away', async () => {
  const w = await journalWorld(1, { intervalMs: 0 });
  const { journal, stop } = w.start();
  await w.time.advance(2_000);
  w.fail({ cutBefore: 1 });
  w.wal.write(5_000);
  const opened = w.wal.opened;
  await w.time.advance(60_000);
  expect(w.wal.opened - opened).toBeLessThan(80);
  w.fail({});
  await w.time.advance(1_500);
  expect(journal.status()).toMatchObject({ state: 'running', lagBytes: 0 });
  await stop();
});

test('a journal that begins in a segment in which leaders had changed, and change again, has all of it', async () => {
  const w = await journalWorld();
  w.wal.write(300);
  w.wal.promote(2);
  const fork = w.wal.lsn;
  w.wal.write(300);
  const { stop } = w.start();
  await w.time.advance(3_000);
  w.wal.promote(3);
  w.wal.write(300);
  await w.time.advance(3_000);
  await stop();
  const stored = await w.files();
  const begin = fork - (fork % BigInt(w.wal.segmentBytes));
  for (const timeline of [2, 3]) {
    const file = await stored.file(segmentName(timeline, begin, BigInt(w.wal.segmentBytes)), { signal: new AbortController().signal });
    const end = w.wal.ended.find((one) => one.timeline === timeline)?.end ?? w.wal.lsn;
    const wanted = Uint8Array.from({ length: Number(end - begin) }, (_, index) => w.wal.byteAt(begin + BigInt(index), timeline));
    expect(file?.subarray(0, wanted.length), `timeline ${timeline}`).toEqual(wanted);
  }
});

test('WAL that the server has no more is told as a gap, and the journal goes on', async () => {
  const w = await journalWorld();
  const first = w.start();
  await w.time.advance(2_000);
  await first.stop();
  const storedTo = first.journal.status().stored!.lsn;
  w.wal.write(100_000);
  w.wal.keptFrom = w.wal.lsn - (w.wal.lsn % 4_096n);
  const { journal, stop } = w.start();
  await w.time.advance(5_000);
  await stop();
  expect(journal.status().gaps).toEqual([{ timeline: 1, start: storedTo, end: w.wal.keptFrom }]);
  const files = await w.files();
  expect(files.reach({ timeline: 1, lsn: storedTo - 10n }, 1)).toMatchObject({
    reached: { lsn: storedTo },
    missing: { start: storedTo, end: w.wal.keptFrom },
  });
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

describe('Safety: what was stored and what follows it make up the whole, whatever happens. Method: chance by seed, checked byte for byte.', () => {
  test.each(Array.from({ length: 20 }, (_, index) => index + 1))('seed %i', async (seed) => {
    const w = await journalWorld(seed);
    const chance = (share: number): boolean => w.random.next() < share;
    const running = [w.start()];
    await w.time.advance(2_000);
    const from = { timeline: 1, lsn: w.wal.keptFrom };
    for (let step = 0; step < 60; step++) {
      w.fail(chance(0.3) ? { cutBefore: 0.4, cutAfter: 0.3, busy: 0.2 } : {});
      if (chance(0.7)) w.wal.write(Math.floor(w.random.next() * 9_000));
      if (chance(0.1)) w.wal.cut();
      else w.wal.away = false;
      // The new primary may lack what the old one wrote last; it is journalled all the same.
      if (chance(0.08))
        w.wal.promote(w.wal.timeline + 1 + Math.floor(w.random.next() * 3), chance(0.5) ? Math.floor(w.random.next() * 500) : 0);
      if (chance(0.15)) running.push(w.start());
      // Whoever folds may fail at any call; the journals go on.
      if (chance(0.2)) await w.fold().catch(() => {});
      if (chance(0.15) && running.length > 1) await running.shift()!.stop();
      await w.time.advance(Math.floor(w.random.next() * 3_000));
    }
    w.fail({});
    w.wal.away = false;
    await w.time.advance(60_000);
    for (const one of running) expect(one.journal.status()).toMatchObject({ lagBytes: 0, gaps: [] });
    await Promise.all(running.map((one) => one.stop()));
    await expectStored(w, from);
    // The first call folds, the second one removes what that has replaced.
    for (let call = 0; call < 3; call++) await w.fold();
    await expectStored(w, from);
    const { parts, folded } = (await w.files()).stored;
    expect(folded.length).toBeGreaterThan(0);
    expect(parts.length).toBeLessThan(3 * w.wal.ended.length + 12);
  });
});

test('a part is only taken for what its name says, and only as it was written', async () => {
  const key = randomSealingKey();
  const range = { timeline: 2, start: 0x3_000_000n, end: 0x3_000_005n };
  const part = { service, systemId: '7', range, sentMs: 5, wal: Buffer.from('bytes') };
  const sealed = encodePart({ ...part, wal: [part.wal.subarray(0, 2), part.wal.subarray(2)] }, key);
  const expected = { service, systemId: '7', range, key: 'a key' };
  expect(decodePart(sealed, expected, key)).toMatchObject({ ...part, wal: expect.anything() });
  expect(Buffer.from(decodePart(sealed, expected, key).wal).toString()).toBe('bytes');
  const others = [
    { ...expected, service: 'other' },
    { ...expected, systemId: '8' },
    { ...expected, range: { ...range, timeline: 3 } },
    { ...expected, range: { ...range, start: range.start + 1n, end: range.end + 1n } },
    { ...expected, range: { ...range, end: range.end + 1n } },
  ];
  for (const other of others) expect(() => decodePart(sealed, other, key)).toThrow(expect.objectContaining({ code: 'BACKUP_DAMAGED' }));
  expect(() => decodePart(sealed, expected, randomSealingKey())).toThrow(expect.objectContaining({ code: 'BACKUP_DAMAGED' }));
  for (let bit = 0; bit < sealed.byteLength * 8; bit += 13) {
    const flipped = sealed.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => decodePart(flipped, expected, key)).toThrow(expect.objectContaining({ code: 'BACKUP_DAMAGED' }));
  }
});
