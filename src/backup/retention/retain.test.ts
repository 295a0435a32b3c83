import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BaseFacts } from '../postgres/base.ts';
import { expectStored, journalWorld, service } from '../testing/journal-world.ts';
import { forever as signal, hastyRuntime, saveBase } from '../testing/repositories.ts';
import { foldedFactsOf } from '../journal/folded.ts';
import type { JournalObject } from '../journal/journal-key.ts';
import type { FoldedWal } from '../journal/folded.ts';
import type { Snapshot } from '../repository.ts';
import { forgetByRules, forgetSnapshots } from './forget.ts';
import { retainCopies } from './retain.ts';
import { decideUnneededWal } from './unneeded-wal.ts';

const day = 86_400_000;

/** Ten days of WAL with a base backup each day, folded; a failover in the midst. */
async function tenDays() {
  const w = await journalWorld();
  const { systemId, segmentBytes } = w.wal;
  const { stop } = w.start();
  await w.time.advance(2_000);
  const starts: { timeline: number; lsn: bigint }[] = [];
  for (let index = 0; index < 10; index++) {
    const start = { timeline: w.wal.timeline, lsn: w.wal.lsn };
    starts.push(start);
    const endMs = Date.UTC(2026, 10, index + 1, 3);
    await saveBase(w.repository, { service, systemId, segmentBytes, start, endMs });
    for (let hour = 0; hour < 4; hour++) {
      w.wal.write(3_000);
      await w.time.advance(2_000);
    }
    if (index === 5) w.wal.promote(2, 100);
    await w.time.advance(2_000);
    await w.fold();
  }
  await stop();
  const order = { service, systemId, rules: { last: 3 }, signal };
  const retain = (more: object = {}) => retainCopies(w.repository, hastyRuntime, { ...order, ...more });
  return { w, starts, retain };
}

async function walStart(w: Awaited<ReturnType<typeof journalWorld>>): Promise<bigint> {
  const { parts, folded } = (await w.files()).stored;
  const all = [...parts.map(({ start }) => start), ...folded.map(({ facts }) => facts.range.start)];
  return all.reduce((least, one) => (one < least ? one : least));
}

test('base backups go by rules, and WAL with the last one that needs it', async () => {
  const { w, starts, retain } = await tenDays();
  const oldest = starts[7]!;
  const figures = await retain();
  expect(figures).toMatchObject({ keptBases: 3, forgottenBases: 7 });
  expect(figures.forgottenWal).toBeGreaterThan(6);
  const start = await walStart(w);
  expect(start).toBeLessThanOrEqual(oldest.lsn);
  // A segment before it at the most, and what a snapshot has that reaches beyond.
  expect(oldest.lsn - start).toBeLessThan(4n * 4_096n);
  await expectStored(w, oldest);
  expect(await retain()).toMatchObject({ keptBases: 3, forgottenBases: 0, forgottenWal: 0, removedParts: 0 });
});

test('without rules nothing goes but what is stored twice', async () => {
  const { w, starts, retain } = await tenDays();
  expect(await retain({ rules: {} })).toMatchObject({ keptBases: 10, forgottenBases: 0, removedParts: 0 });
  await expectStored(w, starts[0]!);
});

test('a database that has taken the place of another one does not push its copies out', async () => {
  const { w, starts, retain } = await tenDays();
  const start = { timeline: 1, lsn: 1n };
  for (let index = 0; index < 5; index++)
    await saveBase(w.repository, { service, systemId: '8', segmentBytes: 4_096, start, endMs: index * day });
  expect(await retain({ systemId: '8' })).toMatchObject({ keptBases: 6 });
  await expectStored(w, starts[7]!);
});

test('WAL of a former database goes when its last base backup was forgotten; that of the present one stays before its first', async () => {
  const { w, retain, starts } = await tenDays();
  const bases: string[] = [];
  for await (const snapshot of w.repository.snapshots({ signal })) if (foldedFactsOf(snapshot) === undefined) bases.push(snapshot.id);
  await forgetSnapshots(w.repository, bases, { signal });
  expect(await retain()).toMatchObject({ keptBases: 0, removedParts: 0 });
  await expectStored(w, starts[0]!);
  expect((await retain({ systemId: '8' })).removedParts).toBeGreaterThan(0);
  expect((await w.files()).stored).toMatchObject({ parts: [], folded: [], histories: new Set() });
});

test('rules by hand leave WAL alone', async () => {
  const { w, starts } = await tenDays();
  const groups = await forgetByRules(w.repository, hastyRuntime, { rules: { last: 1 }, groupBy: {}, signal });
  expect(groups.flatMap(({ remove }) => remove).filter((one) => foldedFactsOf(one) !== undefined)).toEqual([]);
  const last = expect.objectContaining({ tags: expect.arrayContaining(['postgres-base']) });
  expect(groups[0]?.keep).toEqual([{ snapshot: last, reasons: ['last snapshot'] }]);
  expect(groups.flatMap(({ keep }) => keep).find(({ snapshot }) => foldedFactsOf(snapshot) !== undefined)?.reasons).toEqual([
    'WAL of base backups',
  ]);
  await expectStored(w, starts[9]!);
});

test('WAL that a base backup needs is not forgotten by its name either, unless that goes too', async () => {
  const { w, starts } = await tenDays();
  const all = await Array.fromAsync(w.repository.snapshots({ signal }));
  const folded = (await w.files()).stored.folded;
  const wal = folded.find(
    ({ facts: { range } }) =>
      range.end > starts[5]!.lsn && !folded.some((o) => o.facts.range.start < range.start && o.facts.range.end >= range.end),
  )!;
  await expect(forgetSnapshots(w.repository, [wal.snapshot.id], { signal })).rejects.toMatchObject({ code: 'BACKUP_WAL_NEEDED' });
  await expectStored(w, starts[0]!);
  await forgetSnapshots(
    w.repository,
    all.map(({ id }) => id),
    { signal },
  );
  expect(await Array.fromAsync(w.repository.snapshots({ signal }))).toEqual([]);
});

const numbers = fc.record({ timeline: fc.integer({ min: 1, max: 3 }), start: fc.nat(50), size: fc.integer({ min: 1, max: 10 }) });

test('safety: what is removed ends before every kept base of its database begins', () =>
  fc.assert(
    fc.property(fc.array(numbers), fc.array(numbers), fc.array(fc.nat(600), { maxLength: 4 }), (folds, parts, starts) => {
      const bases = starts.map((lsn) => ({ systemId: '7', segmentBytes: 10, start: { timeline: 1, lsn: BigInt(lsn) } }) as BaseFacts);
      const range = ({ timeline, start, size }: typeof numbers extends fc.Arbitrary<infer One> ? One : never) => ({
        timeline,
        start: BigInt(start * 10),
        end: BigInt((start + size) * 10),
      });
      const folded = folds.map((one, index): FoldedWal => ({
        snapshot: { id: String(index) } as Snapshot,
        facts: { service, systemId: '7', segmentBytes: 10, range: range(one) },
      }));
      const objects = parts.map((one): JournalObject => ({ kind: 'part', systemId: '7', range: range(one), key: '' }));
      const gone = decideUnneededWal({ systemId: '7', bases, folded, objects });
      const needed = bases.map(({ start }) => start.lsn - (start.lsn % 10n));
      for (const object of gone.objects)
        if (object.kind === 'part') for (const lsn of needed) expect(object.range.end).toBeLessThanOrEqual(lsn);
      if (bases.length === 0) expect(gone.objects).toEqual([]);
      const left = folded.filter(({ snapshot }) => !gone.snapshots.includes(snapshot));
      for (const one of folded) {
        const isOld = bases.length > 0 && needed.every((lsn) => one.facts.range.end <= lsn);
        const { timeline, start, end } = one.facts.range;
        const isThere = left.some(({ facts: { range: r } }) => r.timeline === timeline && r.start <= start && end <= r.end);
        expect(isOld || isThere).toBe(true);
      }
    }),
  ));
