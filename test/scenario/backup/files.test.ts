import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  backupFiles,
  backupStream,
  decideForget,
  diffTrees,
  dumpSnapshot,
  initRepository,
  type KeepRules,
  listSnapshot,
  openRepository,
  type OpenedRepository,
  parseCalendarSpan,
  prune,
  type Repository,
  restoreFiles,
  type Snapshot,
  type TreeNode,
} from '../../../src/backup/index.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock, createRandom } from '../../../src/runtime/index.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';
import { describeContents, describeTree, diskUsage, makeNastyTree } from './nasty-tree.ts';
import { hasRestic, Restic } from './restic.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const { signal } = new AbortController();
const restic = hasRestic();

describe.skipIf(!restic)('files, beside restic (skipped where it is not installed)', () => {
  let scratch: string;
  let source: string;
  let theirs: Restic;
  let repository: OpenedRepository;
  let ours: Snapshot;
  /** Of what changed first. */
  let resticSnapshot: Snapshot;

  beforeAll(async () => {
    scratch = fs.mkdtempSync(join(tmpdir(), 'holdfast-files-'));
    source = join(scratch, 'source');
    await makeNastyTree(source);
    theirs = new Restic(join(scratch, 'repository'), 'x');
    fs.mkdirSync(theirs.path);
    const location = new LocalLocation('scratch', theirs.path, runtime);
    await initRepository(location, { password: 'x', kdfCost: { N: 1024, r: 8, p: 1 } }, runtime, { signal });
    repository = await openRepository(location, { password: 'x' }, runtime, { signal });
    const result = await backupFiles(repository, runtime, { paths: [source], signal });
    expect(result.issues).toEqual([]);
    ours = result.snapshot!;
    theirs.run('backup', '--host', 'theirs', source);
    await repository.refresh({ signal });
    resticSnapshot = (await Array.fromAsync(repository.snapshots({ signal }))).find((one) => one.hostname === 'theirs')!;
  });
  afterAll(async () => {
    await repository[Symbol.asyncDispose]();
    fs.rmSync(scratch, { recursive: true, force: true });
  });

  test('we store of each file what restic stores', async () => {
    const [mine, other] = await Promise.all([nodesOf(repository, ours), nodesOf(repository, resticSnapshot)]);
    expect([...mine.keys()]).toEqual([...other.keys()]);
    for (const [path, node] of mine) {
      // Chunks differ, and the number of a device is kept only where it tells something; a directory above may have changed.
      const { content: a, subtree: _a, deviceId: _b, ...ourNode } = node;
      const { content: b, subtree: _c, deviceId: _d, ...theirNode } = other.get(path)!;
      if (!path.startsWith(source)) continue;
      expect(ourNode).toEqual(theirNode);
      expect(await hashOf(repository, a)).toBe(await hashOf(repository, b));
    }
  });

  test('restic restores what we backed up', async () => {
    expect(theirs.run('check', '--read-data')).toContain('no errors were found');
    const target = join(scratch, 'by-restic');
    theirs.run('restore', ours.id, '--target', target);
    expect(describeTree(join(target, source))).toEqual(describeTree(source));
    expect(await describeContents(join(target, source))).toEqual(await describeContents(source));
    fs.rmSync(target, { recursive: true });
  });

  test('we restore what restic backed up', async () => {
    const target = join(scratch, 'by-us');
    const result = await restoreFiles(repository, resticSnapshot, { target, from: source, verify: true, signal });
    expect(result.issues).toEqual([]);
    expect(describeTree(target)).toEqual(describeTree(source));
    expect(await describeContents(target)).toEqual(await describeContents(source));
    expect(diskUsage(join(target, 'sparse'))).toBeLessThan(1_000_000);
  });

  test('of a change of 2 % only that is stored, and only that restored', async () => {
    const target = join(scratch, 'delta');
    await restoreFiles(repository, ours, { target, from: source, durable: false, signal });
    const fd = fs.openSync(join(source, 'big'), 'r+');
    fs.writeSync(fd, Buffer.alloc(480_000, 7), 0, 480_000, 9_000_000);
    fs.closeSync(fd);
    fs.writeFileSync(join(source, 'new'), 'new');
    fs.rmSync(join(source, 'tab\tand\u0001'));
    const { snapshot, summary } = await backupFiles(repository, runtime, { paths: [source], signal });
    expect(summary).toMatchObject({ filesNew: 1, filesChanged: 1 });
    expect(summary.addedBytes).toBeLessThan(10_000_000);
    const changes = await Array.fromAsync(diffTrees(repository, ours.tree, snapshot!.tree, { signal }));
    expect(changes.map(({ path, change }) => [path.slice(source.length), change])).toEqual([
      ['/big', 'content'],
      ['/new', 'added'],
      ['/tab\tand\u0001', 'removed'],
    ]);
    const result = await restoreFiles(repository, snapshot!, {
      target,
      from: source,
      overwrite: true,
      removeOthers: true,
      verify: true,
      durable: false,
      signal,
    });
    expect(result.issues).toEqual([]);
    expect(result.removed).toBe(1);
    // The one with further names is made anew: it could have some elsewhere.
    expect(result.writtenBytes).toBeLessThan(10_000_000 + 3_000_000);
    expect(describeTree(target)).toEqual(describeTree(source));
    expect(await describeContents(target)).toEqual(await describeContents(source));
  });

  test('a directory is dumped as an archive that tar unpacks, a file as it is', async () => {
    const target = join(scratch, 'by-tar');
    fs.mkdirSync(target);
    const archive = join(scratch, 'archive.tar');
    fs.writeFileSync(
      archive,
      Buffer.concat(await Array.fromAsync(dumpSnapshot(repository, resticSnapshot, { path: join(source, 'deep'), signal }))),
    );
    execFileSync('tar', ['-x', '-p', '--xattrs', '--numeric-owner', '-f', archive, '-C', target]);
    const expected = describeTree(join(scratch, 'by-us', 'deep')).map((line) => line.replace(/\|3\|/, '|2|'));
    expect(describeTree(target)).toEqual(expected);
    const file = Buffer.concat(await Array.fromAsync(dumpSnapshot(repository, resticSnapshot, { path: join(source, 'text'), signal })));
    expect(file.toString()).toBe(theirs.run('dump', resticSnapshot.id, join(source, 'text')));
  });

  test('patterns leave out what they leave out for restic', async () => {
    const excludes = ['te?t', 'same*', '*li[m-n]k*', '!link', '/**/d[a-e]?p/er', 'ü*', `${source}/日*`, '?', String.raw`\*`];
    theirs.run('backup', '--host', 'patterns', ...excludes.flatMap((pattern) => ['--exclude', pattern]), source);
    const { snapshot } = await backupFiles(repository, runtime, {
      paths: [source],
      host: 'patterns',
      select: { exclude: excludes },
      signal,
    });
    await repository.refresh({ signal });
    const all = await Array.fromAsync(repository.snapshots({ signal }));
    const other = all.find((one) => one.hostname === 'patterns' && one.id !== snapshot!.id)!;
    const left = [...(await nodesOf(repository, snapshot!)).keys()];
    expect(left).toEqual([...(await nodesOf(repository, other)).keys()]);
    expect(left.length).toBeGreaterThan(10);
  });

  test('a stream comes back from restic', async () => {
    const text = 'select 1;\n'.repeat(300_000);
    const { snapshot } = await backupStream(repository, runtime, of(text), { name: '/dumps/orders.sql', signal });
    expect(theirs.run('dump', snapshot!.id, '/dumps/orders.sql')).toBe(text);
  });

  test('the same snapshots are kept, whatever the rules', async () => {
    const writer = await repository.write({ signal });
    for (let index = 0; index < 60; index += 1) {
      const minutes = Math.floor(2 ** (index / 4) * 60 + index * 97);
      const zone = ['Z', '+05:30', '-08:00'][index % 3]!;
      const time = `${new Date(Date.UTC(2026, 9, 25, 23, 30) - minutes * 60_000).toISOString().slice(0, 23)}${zone}`;
      const tags = [[], ['a'], ['a', 'b']][(index % 7) % 3]!;
      await writer.saveSnapshot({
        time,
        tree: ours.tree,
        paths: [index % 5 === 0 ? '/etc' : '/srv'],
        hostname: `rules${index % 2}`,
        username: 'root',
        ...(tags.length === 0 ? {} : { tags }),
      });
    }
    await writer[Symbol.asyncDispose]();
    const all = await Array.fromAsync(repository.snapshots({ signal }));
    // The oldest one is kept for longer history since restic 0.16.
    const keepsOldest = Number(/^restic 0\.(\d+)/.exec(theirs.run('version'))?.[1] ?? 99) >= 16;
    const cases: [string[], KeepRules][] = [
      [['--keep-last', '3', '--keep-daily', '5'], { last: 3, daily: 5 }],
      [
        ['--keep-hourly', '2', '--keep-weekly', '4', '--keep-monthly', '6', '--keep-yearly', '9'],
        { hourly: 2, weekly: 4, monthly: 6, yearly: 9 },
      ],
      [
        ['--keep-within', '1m2d', '--keep-within-weekly', '3m', '--keep-tag', 'a,b'],
        { within: parseCalendarSpan('1m2d'), withinWeekly: parseCalendarSpan('3m'), tags: [['a', 'b']] },
      ],
      [
        ['--keep-within-daily', '20d', '--keep-within-monthly', '1y', '--keep-within-hourly', '3h', '--keep-within-yearly', '99y'],
        {
          withinDaily: parseCalendarSpan('20d'),
          withinMonthly: parseCalendarSpan('1y'),
          withinHourly: parseCalendarSpan('3h'),
          withinYearly: parseCalendarSpan('99y'),
        },
      ],
    ];
    for (const [args, rules] of cases) {
      for (const [by, groupBy] of [
        ['host,paths', { host: true, paths: true }],
        ['', {}],
        ['tags', { tags: true }],
      ] as const) {
        const told = JSON.parse(theirs.run('forget', '--dry-run', '--json', '--group-by', by, ...args)) as {
          keep: { id: string }[] | null;
        }[];
        const expected = told.flatMap(({ keep }) => (keep ?? []).map(({ id }) => id));
        const groups = decideForget(all, { rules, groupBy, nowMs: runtime.clock.wallMs() });
        const kept = groups.flatMap(({ keep }) =>
          keep.filter(({ reasons }) => keepsOldest || !reasons.every((one) => one.startsWith('oldest'))).map(({ snapshot }) => snapshot.id),
        );
        expect(new Set(kept), `${by} ${args.join(' ')}`).toEqual(new Set(expected));
        expect(kept.length).toBeLessThan(all.length);
      }
    }
  });

  test('what we prune is whole for restic, and the other way round', async () => {
    {
      await using maintenance = await repository.maintain({ signal });
      const others = (await Array.fromAsync(repository.snapshots({ signal }))).filter((one) => one.tree !== resticSnapshot.tree);
      await maintenance.removeSnapshots(others.map((one) => one.id));
    }
    const figures = await prune(repository, { limits: { maxUnusedPercent: 0 }, signal });
    expect(figures.freedBytes).toBeGreaterThan(1_000_000);
    expect(theirs.run('check', '--read-data')).toContain('no errors were found');
    const { snapshot } = await backupFiles(repository, runtime, { paths: [source], parent: 'none', signal });
    theirs.run('forget', resticSnapshot.id, '--prune', '--max-unused', '0');
    const target = join(scratch, 'last');
    const result = await restoreFiles(repository, snapshot!, { target, from: source, verify: true, durable: false, signal });
    expect(result.issues).toEqual([]);
    expect(await describeContents(target)).toEqual(await describeContents(source));
  });
});

async function nodesOf(repository: Repository, snapshot: Snapshot): Promise<Map<string, TreeNode>> {
  const listed = await Array.fromAsync(listSnapshot(repository, snapshot, { signal }));
  return new Map(listed.map(({ path, node }) => [path, node]));
}

async function hashOf(repository: Repository, content: readonly string[] | undefined): Promise<string> {
  const hash = createHash('sha256');
  for (const id of content ?? []) hash.update(await repository.loadBlob('data', id, { signal }));
  return hash.digest('hex');
}

async function* of(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
