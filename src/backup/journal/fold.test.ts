import { describe, expect, test } from 'vitest';
import type { Location } from '../../storage/index.ts';
import type { MemoryObjects } from '../../storage/adapters/memory/index.ts';
import { FaultyLocation } from '../../storage/testing/faulty.ts';
import { checkRepository } from '../check/check.ts';
import { loadTree } from '../browse/walk.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import { prune } from '../prune/prune.ts';
import { expectStored, journalWorld, service } from '../testing/journal-world.ts';
import { forever as signal, hastyRuntime, openMemoryRepository, saveBase } from '../testing/repositories.ts';
import { foldJournal, type FoldFigures } from './fold.ts';
import { WalFiles } from './wal-files.ts';

type World = Awaited<ReturnType<typeof journalWorld>>;

/** Three timelines, each of some segments, the second of which an old primary wrote on alone; stored in many parts, some of them twice. */
async function storedWorld(): Promise<World> {
  const w = await journalWorld();
  const running = [w.start()];
  await w.time.advance(2_000);
  for (let step = 0; step < 24; step++) {
    w.wal.write(700);
    await w.time.advance(1_500);
    if (step === 4) running.push(w.start());
    if (step === 8) w.wal.promote(2);
    if (step === 16) w.wal.promote(4, 300);
  }
  await w.time.advance(5_000);
  await Promise.all(running.map((one) => one.stop()));
  const { systemId, segmentBytes } = w.wal;
  await saveBase(w.repository, { service, systemId, segmentBytes, start: { timeline: 2, lsn: 4n * 4_096n + 5n } });
  return w;
}

function opened(objects: MemoryObjects, around?: (location: Location) => Location): Promise<OpenedRepository> {
  return openMemoryRepository({ objects, pid: 999_999, ...(around === undefined ? {} : { around }) });
}

/** What one life of an agent does: it folds, and later removes what that has replaced. */
async function tend(repository: OpenedRepository, { wal: { systemId, segmentBytes } }: World): Promise<FoldFigures> {
  const options = { service, systemId, segmentBytes, host: 'test', smallPartsMax: 6, signal };
  await foldJournal(repository, hastyRuntime, options);
  return await foldJournal(repository, hastyRuntime, options);
}

describe('Safety: whoever dies while folding, at any change of the storage, leaves all WAL readable. Method: each change is the last one in turn.', () => {
  test('and the next one finishes it', { timeout: 180_000 }, async () => {
    const w = await storedWorld();
    const from = { timeline: 1, lsn: w.wal.keptFrom };
    await expectStored(w, from);
    const before = (await w.files()).stored;
    expect(before.parts.length).toBeGreaterThan(24);
    let deaths = 0;
    for (let change = 1; ; change++) {
      const died = [false, true].map(async (done) => {
        const objects: MemoryObjects = new Map(w.objects);
        let faulty!: FaultyLocation;
        const doomed = await opened(objects, (location) => (faulty = new FaultyLocation(location, hastyRuntime)));
        faulty.killAt = { change, done };
        await tend(doomed, w).catch(() => {});
        if (faulty.changes < change) return false;
        const { wal } = w;
        const { systemId, segmentBytes } = wal;
        const files = async (): Promise<WalFiles> =>
          await WalFiles.open({ repository: await opened(objects), service, systemId, segmentBytes }, { signal });
        await expectStored({ files, wal }, from);
        await using next = await opened(objects);
        await tend(next, w);
        const { left } = await tend(next, w);
        await expectStored({ files, wal }, from);
        // Of each timeline that was left its last segment, of the newest one what is not full yet.
        expect(left).toBeLessThan(12);
        // A snapshot is an object among many: what it needs is looked at now and then.
        if (change % 5 === 0) {
          await prune(next, { signal });
          expect(await checkRepository(next, { signal, readData: { kind: 'all' } })).toMatchObject({ damages: [], strayPacks: [] });
        }
        return true;
      });
      const both = await Promise.all(died);
      deaths += both.filter(Boolean).length;
      if (!both.includes(true)) break;
    }
    expect(deaths).toBeGreaterThan(80);
  });
});

test('full segments lie in snapshots between base backups, with the histories that they need; the rest stays beside', async () => {
  const w = await storedWorld();
  const figures = await tend(w.repository, w);
  expect(figures).toMatchObject({ waitsFor: undefined, segments: 0 });
  const { folded, parts } = (await w.files()).stored;
  const ranges = folded.map(({ facts: { range } }) => range).toSorted((a, b) => Number(a.timeline - b.timeline || a.start - b.start));
  expect(ranges).toEqual([
    { timeline: 1, start: 2n * 4_096n, end: 3n * 4_096n },
    // It begins with what timeline 1 wrote into its first segment; a base backup begins at its end.
    { timeline: 2, start: 3n * 4_096n, end: 4n * 4_096n },
    { timeline: 2, start: 4n * 4_096n, end: 5n * 4_096n },
    { timeline: 4, start: 5n * 4_096n, end: 6n * 4_096n },
  ]);
  expect(Math.max(...parts.map(({ timeline, end }) => (timeline === 4 ? Number(end) : 0)))).toBe(Number(w.wal.lsn));
  const last = folded.find(({ facts }) => facts.range.timeline === 4)!;
  expect(last.snapshot).toMatchObject({ hostname: 'test', paths: ['/wal/orders'] });
  const nodes = await loadTree(w.repository, last.snapshot.tree, signal);
  expect(nodes.map(({ name }) => name)).toEqual(['00000004.history', '000000040000000000000005']);
});

test('a repository that is written to does not stop parts from being put together', async () => {
  const w = await storedWorld();
  const before = (await w.files()).stored.parts.length;
  {
    await using _writer = await w.repository.write({ signal });
    const figures = await w.fold();
    expect(figures).toMatchObject({ segments: 0, waitsFor: expect.stringContaining('writes') });
    expect(figures.merged).toBeGreaterThan(0);
  }
  await w.fold();
  expect((await w.files()).stored.parts.length).toBeLessThan(before / 2);
  await expectStored(w, { timeline: 1, lsn: w.wal.keptFrom });
});

test('who reads while another one folds finds what has moved', async () => {
  const w = await storedWorld();
  const files = await w.files();
  await tend(w.repository, w);
  await tend(w.repository, w);
  const stale = { files: () => Promise.resolve(files), wal: w.wal };
  await expectStored(stale, { timeline: 1, lsn: w.wal.keptFrom });
});
