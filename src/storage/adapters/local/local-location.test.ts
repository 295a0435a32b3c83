import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { describeDraftContract, describeLocationContract, type LocationHarness } from '../../contract.ts';
import { retry } from '../../decorators/retry.ts';
import { create } from './index.ts';

const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const signal = new AbortController().signal;
const bytes = new TextEncoder().encode('bytes');

let contracted: string;
const harness: LocationHarness = {
  clock: runtime.clock,
  start: async () => void (contracted = await mkdtemp(join(tmpdir(), 'holdfast-local-'))),
  stop: () => rm(contracted, { recursive: true }),
  open: async () => create('disk', contracted, runtime),
  // It looks at 64 entries at a time.
  manyKeys: 350,
};
describeLocationContract('a local directory', harness);
describeDraftContract('a local directory', harness);
describeDraftContract('a retried local directory', { ...harness, open: async () => retry(create('disk', contracted, runtime), runtime) });

describe('a local directory', () => {
  let outside: string;
  let directory: string;
  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), 'holdfast-local-'));
    directory = join(outside, 'vault');
    await mkdir(directory);
  });
  afterEach(() => rm(outside, { recursive: true }));
  const open = () => create('disk', directory, runtime);

  test('holds objects as files of their names, for their owner alone', async () => {
    await using location = open();
    await location.put('data/ab/abcd', [bytes], { signal });
    expect(await readFile(join(directory, 'data/ab/abcd'))).toEqual(Buffer.from(bytes));
    const modes = await Promise.all(
      ['data', 'data/ab', 'data/ab/abcd', '~holdfast'].map(async (name) => (await stat(join(directory, name))).mode & 0o777),
    );
    expect(modes).toEqual([0o700, 0o700, 0o600, 0o700]);
    expect(await readdir(join(directory, '~holdfast')), 'nothing is left').toEqual([]);
  });

  test('sees files that others have put there, and nothing else', async () => {
    await using location = open();
    await mkdir(join(directory, 'keys'));
    for (const name of ['config', 'keys/k', 'keys/k~', 'keys/.nfs 1', 'keys/ü']) await writeFile(join(directory, name), bytes);
    const listed = await Array.fromAsync(location.list('', { signal }));
    expect(listed.map(({ key, sizeBytes }) => `${key} ${sizeBytes}`).toSorted()).toEqual(['config 5', 'keys/k 5']);
  });

  test('leaves no directory open when a list is given up, at whatever point', async () => {
    await using location = open();
    for (let n = 0; n < 5; n += 1) await location.put(`data/${n}`, [bytes], { signal });
    for (let turns = 0; turns < 200; turns += 1) {
      const given = new AbortController();
      const listing = Array.fromAsync(location.list('', { signal: given.signal })).catch(() => {});
      for (let turn = 0; turn < turns % 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      given.abort();
      await listing;
    }
    await location[Symbol.asyncDispose]();
    const descriptors = await readdir('/proc/self/fd');
    const paths = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    expect(paths.filter((path) => path.startsWith(directory))).toEqual([]);
  });

  test('is away while its directory is missing, makes none in its place, and comes back', async () => {
    await rename(directory, `${directory}-away`);
    await using location = open();
    const away = { code: 'STORAGE_UNREACHABLE', retryable: true, message: expect.stringContaining(directory) as unknown };
    const calls = [
      () => location.put('k', [bytes], { signal }),
      () => location.get('k', { signal }),
      () => location.stat('k', { signal }),
      () => Array.fromAsync(location.list('', { signal })),
      () => location.remove('k', { signal }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(away);
    expect(location.status()).toMatchObject({ state: 'away' });
    await rename(`${directory}-away`, directory);
    await location.put('k', [bytes], { signal });
    expect(location.status()).toMatchObject({ state: 'ok' });

    await rename(directory, `${directory}-away`);
    for (const call of calls) await expect(call()).rejects.toMatchObject(away);
    expect(await readdir(outside)).toEqual(['vault-away']);
    // What is left when its disk is unmounted: the directory below.
    await mkdir(directory);
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
    await rename(`${directory}-away`, directory);
    expect(await location.get('k', { signal })).toEqual(bytes);
  });

  test('follows no link out of it, and says so', async () => {
    await using location = open();
    const secret = join(outside, 'secret');
    await mkdir(secret);
    await writeFile(join(secret, 'k'), 'secret');
    await symlink(secret, join(directory, 'linked'));
    await symlink(join(secret, 'k'), join(directory, 'file'));
    const unsuitable = { code: 'STORAGE_UNSUITABLE', message: expect.stringContaining('symbolic link') as unknown };
    for (const call of [
      () => location.get('linked/k', { signal }),
      () => location.stat('linked/k', { signal }),
      () => location.put('linked/new', [bytes], { signal }),
      () => location.put('linked/deeper/new', [bytes], { signal }),
      () => location.remove('linked/k', { signal }),
      () => Array.fromAsync(location.list('linked/', { signal })),
      () => Array.fromAsync(location.list('', { signal })),
      () => location.stat('file', { signal }),
    ])
      await expect(call()).rejects.toMatchObject(unsuitable);
    await expect(location.get('file', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNSUITABLE' });
    // A put replaces the link itself, as it would a file.
    await location.put('file', [bytes], { signal });
    expect([await readFile(join(secret, 'k'), 'utf8'), await readdir(secret)]).toEqual(['secret', ['k']]);
  });

  test('its own path may be a link', async () => {
    await symlink(directory, join(outside, 'link'));
    await using location = create('disk', join(outside, 'link'), runtime);
    await location.put('a/k', [bytes], { signal });
    expect(await location.get('a/k', { signal })).toEqual(bytes);
  });

  test('removes what killed puts have left, once it is a day old', async () => {
    const scratch = join(directory, '~holdfast');
    await mkdir(scratch);
    const left = (letter: string): string => join(scratch, `put-${letter.repeat(24)}`);
    for (const file of [left('a'), left('b'), `${left('c')}-link`, join(scratch, 'other')]) await writeFile(file, bytes);
    const old = runtime.clock.wallMs() / 1000 - 25 * 3600;
    for (const file of [left('a'), `${left('c')}-link`, join(scratch, 'other')]) await utimes(file, old, old);
    await using location = open();
    expect(await Array.fromAsync(location.list('', { signal }))).toEqual([]);
    await location.put('k', [bytes], { signal });
    expect(await readdir(scratch)).toEqual(['other', `put-${'b'.repeat(24)}`]);
  });

  test('removes what killed drafts have left, once nothing was added for a week', async () => {
    const scratch = join(directory, '~holdfast');
    await mkdir(scratch);
    for (const [letter, days] of [
      ['a', 6.9],
      ['b', 7.1],
    ] as const) {
      const file = join(scratch, `draft-${letter.repeat(24)}`);
      await writeFile(file, bytes);
      const old = runtime.clock.wallMs() / 1000 - days * 24 * 3600;
      await utimes(file, old, old);
    }
    await using location = open();
    await location.put('k', [bytes], { signal });
    expect(await readdir(scratch)).toEqual([`draft-${'a'.repeat(24)}`]);
  });

  test('a draft that is given up leaves nothing, and one whose directory went away comes into no other', async () => {
    await using location = open();
    const scratch = async (): Promise<string[]> => await readdir(join(directory, '~holdfast'));
    const given = await location.draft({ signal });
    await given.append(bytes, { signal });
    expect(await scratch()).toHaveLength(1);
    await given[Symbol.asyncDispose]();
    expect(await scratch()).toEqual([]);

    await using draft = await location.draft({ signal });
    await draft.append(bytes, { signal });
    await rename(directory, `${directory}-away`);
    const away = { code: 'STORAGE_UNREACHABLE', retryable: true };
    await expect(draft.put('a/k', { signal })).rejects.toMatchObject(away);
    await mkdir(directory);
    await expect(draft.put('a/k', { signal })).rejects.toMatchObject(away);
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
    await rename(`${directory}-away`, directory);
    await draft.put('a/k', { signal });
    await draft[Symbol.asyncDispose]();
    expect(await location.get('a/k', { signal })).toEqual(bytes);
    expect(await scratch()).toEqual([]);
  });

  test('what is a directory or a pipe there is no object', async () => {
    await using location = open();
    await location.put('a/b', [bytes], { signal });
    spawn('mkfifo', [join(directory, 'pipe')]);
    await expect
      .poll(() =>
        stat(join(directory, 'pipe'))
          .then((info) => info.isFIFO())
          .catch(() => false),
      )
      .toBe(true);
    for (const key of ['a', 'pipe']) {
      expect(await location.stat(key, { signal })).toBeUndefined();
      await expect(location.get(key, { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    }
    await expect(location.put('a', [bytes], { signal })).rejects.toMatchObject({ code: 'STORAGE_UNSUITABLE' });
    await expect(location.put('a', [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_UNSUITABLE' });
    expect((await Array.fromAsync(location.list('', { signal }))).map(({ key }) => key)).toEqual(['a/b']);
  });

  test.skipIf(process.getuid?.() === 0)('says when it may not be entered', async () => {
    await chmod(directory, 0o000);
    await using location = open();
    await expect(location.stat('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_DENIED' });
  });

  test('SIGKILL at any moment leaves whole objects, all that were acknowledged among them', async () => {
    const script = `import { create } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
      import { createClock } from ${JSON.stringify(new URL('../../../runtime/clock.ts', import.meta.url).href)};
      const location = create('disk', process.argv[1], { clock: createClock() });
      const signal = new AbortController().signal;
      for (let n = Number(process.argv[2]); ; n += 1) {
        await location.put('k/' + n, [new Uint8Array(200_000 + n).fill(n % 251)], { signal, ifAbsent: n % 2 === 0 });
        process.stdout.write(n + '\\n');
      }`;
    let acknowledged = 0;
    for (let round = 0; round < 4; round += 1) {
      const from = round * 1_000_000;
      const writer = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, directory, String(from)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let written = '';
      writer.stdout.on('data', (chunk: Buffer) => (written += chunk.toString('latin1')));
      await once(writer.stdout, 'data');
      await runtime.clock.sleep(3 + round * 5);
      writer.kill('SIGKILL');
      await once(writer, 'close');
      await using location = open();
      const last = Number(written.trim().split('\n').at(-1));
      for (let n = from; n <= last; n += 1) expect(await location.stat(`k/${n}`, { signal })).toBeDefined();
      acknowledged += last - from + 1;
    }
    await using location = open();
    const all = await Array.fromAsync(location.list('', { signal }));
    expect(all.length).toBeGreaterThanOrEqual(acknowledged);
    for (const { key } of all) {
      const n = Number(key.slice(2));
      expect(Buffer.compare(await location.get(key, { signal }), Buffer.alloc(200_000 + n, n % 251))).toBe(0);
    }
  }, 60_000);
});
