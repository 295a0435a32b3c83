import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock } from '../../../src/runtime/clock.ts';
import { createRandom } from '../../../src/runtime/random.ts';
import { create } from '../../../src/storage/adapters/local/index.ts';
import { whyNoDisks } from '../hosts/disk.ts';
import { run } from '../hosts/machine.ts';
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts';

const why = whyNoSmallDisk();
const whyNoDamage = whyNoDisks();
const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const signal = new AbortController().signal;

describe.skipIf(why !== undefined)(`a local directory on a disk of its own${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let directory: string;
  let disk: SmallDisk;
  let location: ReturnType<typeof create>;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-disk-'));
    disk = await SmallDisk.mount(join(directory, 'disk'), 4);
    location = create('disk', disk.path, runtime);
  });
  afterEach(async () => {
    await location[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  const mib = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array(1_048_576));

  test('that is full: nothing is half written, what was there stays, and it goes on when there is room', async () => {
    await location.put('k', mib(1), { signal });
    for (const ifAbsent of [true, false]) {
      await expect(location.put('new', mib(5), { signal, ifAbsent })).rejects.toMatchObject({ code: 'STORAGE_FULL', retryable: false });
      await expect(location.put('k', mib(5), { signal })).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    }
    expect(location.status()).toMatchObject({ state: 'degraded', message: expect.stringContaining('ENOSPC') as unknown });
    expect((await location.get('k', { signal })).byteLength).toBe(1_048_576);
    expect(await location.stat('new', { signal })).toBeUndefined();
    expect(await readdir(join(disk.path, '~holdfast'))).toEqual([]);
    await location.put('new', mib(2), { signal, ifAbsent: true });
    expect(location.status().state).toBe('ok');
  });

  test('that is full: a draft goes on where it stopped when there is room', async () => {
    await location.put('k', mib(2), { signal });
    const parts = [randomBytes(1_048_576), randomBytes(1_500_000)];
    await using draft = await location.draft({ signal });
    await draft.append(parts[0]!, { signal });
    await expect(draft.append(parts[1]!, { signal })).rejects.toMatchObject({ code: 'STORAGE_FULL', retryable: false });
    await location.remove('k', { signal });
    await draft.append(parts[1]!, { signal });
    await draft.put('k', { signal });
    expect(Buffer.compare(await location.get('k', { signal }), Buffer.concat(parts))).toBe(0);
    await draft[Symbol.asyncDispose]();
    expect(await readdir(join(disk.path, '~holdfast'))).toEqual([]);
  });

  test('that has no room for another name is full too', async () => {
    await location.put('k', [], { signal });
    await disk.remount('nr_inodes=8');
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => location.put(`many/${n}`, [], { signal })));
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []));
    expect([...new Set(codes)]).toEqual(['STORAGE_FULL']);
    const done = results.length - codes.length;
    expect((await Array.fromAsync(location.list('many/', { signal }))).length).toBe(done);
  });

  test('that is unmounted under it: away, nothing written below, back with all it had', async () => {
    await location.put('k', mib(1), { signal });
    const mountpoint = join(directory, 'mountpoint');
    await mkdir(mountpoint);
    await run('mount', ['--bind', disk.path, mountpoint]);
    await using mounted = create('disk', mountpoint, runtime);
    await mounted.put('other', mib(1), { signal });
    await run('umount', [mountpoint]);
    const away = { code: 'STORAGE_UNREACHABLE', retryable: true };
    await expect(mounted.put('k', mib(1), { signal })).rejects.toMatchObject(away);
    await expect(mounted.get('k', { signal })).rejects.toMatchObject(away);
    await expect(mounted.stat('k', { signal })).rejects.toMatchObject(away);
    await expect(mounted.remove('k', { signal })).rejects.toMatchObject(away);
    await expect(Array.fromAsync(mounted.list('', { signal }))).rejects.toMatchObject(away);
    expect(await readdir(mountpoint)).toEqual([]);
    await run('mount', ['--bind', disk.path, mountpoint]);
    try {
      expect((await Array.fromAsync(mounted.list('', { signal }))).map(({ key }) => key).toSorted()).toEqual(['k', 'other']);
    } finally {
      await run('umount', [mountpoint]);
    }
  });

  test('that can only be read: what it has is read, also by who opens it then', async () => {
    await location.put('a/k', mib(1), { signal });
    await disk.remount('ro');
    await using later = create('disk', disk.path, runtime);
    for (const one of [location, later]) {
      expect((await one.get('a/k', { signal })).byteLength).toBe(1_048_576);
      expect(await Array.fromAsync(one.list('', { signal }))).toHaveLength(1);
      await expect(one.put('a/new', mib(1), { signal })).rejects.toMatchObject({
        code: 'STORAGE_DENIED',
        message: expect.stringContaining('EROFS') as unknown,
      });
      await expect(one.remove('a/k', { signal })).rejects.toMatchObject({ code: 'STORAGE_DENIED' });
    }
    await disk.remount('rw');
    for (const one of [location, later]) await one.put('a/new', mib(1), { signal });
  });

  test.skipIf(whyNoDamage !== undefined)(
    `that can not read parts of itself: those objects are damaged, the others are read${whyNoDamage === undefined ? '' : ` (skipped: ${whyNoDamage})`}`,
    async () => {
      const [image, mountpoint] = [join(directory, 'image'), join(directory, 'failing')];
      const contents = Array.from({ length: 12 }, () => randomBytes(500_000));
      await writeFile(image, '');
      await truncate(image, 8 * 1_048_576);
      await run('mkfs.ext4', ['-q', '-b', '1024', '-m', '0', '-O', '^has_journal', image]);
      await mkdir(mountpoint);
      await run('mount', ['-o', 'loop', image, mountpoint]);
      try {
        await using writer = create('failing', mountpoint, runtime);
        for (const [n, content] of contents.entries()) await writer.put(`k/${n}`, [content], { signal });
        // What was read lately would be read from memory.
        await run('umount', [mountpoint]);
        await run('mount', ['-o', 'loop,ro', image, mountpoint]);
        await truncate(image, 4 * 1_048_576);
        await using reader = create('failing', mountpoint, runtime);
        expect(await Array.fromAsync(reader.list('', { signal }))).toHaveLength(contents.length);
        const results = await Promise.allSettled(contents.map((_, n) => reader.get(`k/${n}`, { signal })));
        for (const [n, result] of results.entries()) {
          if (result.status === 'fulfilled') expect(Buffer.compare(result.value, contents[n]!)).toBe(0);
          else expect(result.reason).toMatchObject({ code: 'STORAGE_DAMAGED', message: expect.stringContaining('EIO') as unknown });
        }
        const damaged = results.filter(({ status }) => status === 'rejected').length;
        expect(damaged).toBeGreaterThan(0);
        expect(damaged).toBeLessThan(contents.length);
      } finally {
        await run('umount', [mountpoint]);
      }
    },
  );
});
