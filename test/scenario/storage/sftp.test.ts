import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createClock } from '../../../src/runtime/clock.ts';
import { createRandom } from '../../../src/runtime/random.ts';
import type { SftpConfig } from '../../../src/storage/adapters/sftp/config.ts';
import { create } from '../../../src/storage/adapters/sftp/index.ts';
import { describeLocationContract } from '../../../src/storage/contract.ts';
import { retry } from '../../../src/storage/decorators/retry.ts';
import { CutProxy } from '../servers/cut-proxy.ts';
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts';
import { Sshd, whyNoSshd } from './sshd.ts';

const why = whyNoSshd();
const whyNoDisk = whyNoSmallDisk();
const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const signal = new AbortController().signal;
const bytes = new TextEncoder().encode('bytes');
const quick = { attemptsMax: 8, timeMaxMs: 30_000, pauseMs: 50, pauseMsMax: 500 };
const impatient = { readyMsMax: 1000, keepaliveMs: 100, keepalivesMax: 3 };

describe.skipIf(why !== undefined)(`SFTP on a real sshd${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let server: Sshd;
  let fingerprint: string;
  beforeAll(async () => {
    server = await Sshd.start(runtime.clock);
    fingerprint = await server.fingerprint('host_ed25519');
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const config = (overrides: Partial<SftpConfig> = {}): SftpConfig => ({
    host: '127.0.0.1',
    port: server.port,
    user: server.user,
    path: server.path('vault'),
    key: server.path('user'),
    fingerprint,
    ...overrides,
  });
  /** Without what is named. */
  const without = (name: 'key' | 'fingerprint', overrides: Partial<SftpConfig> = {}): SftpConfig => {
    const { [name]: _left, ...rest } = config(overrides);
    return rest;
  };
  const failureOf = async (settings: SftpConfig): Promise<unknown> => {
    await using location = create('far', settings, runtime);
    return await location.connect(signal).then(
      () => undefined,
      (error: unknown) => error,
    );
  };

  describeLocationContract('SFTP', {
    clock: runtime.clock,
    open: async () => create('far', config(), runtime),
    // OpenSSH tells a hundred entries at a time.
    manyKeys: 350,
  });

  describe('who is who', () => {
    test('a server is known by a fingerprint, or by any of its keys in known_hosts', async () => {
      const file = server.path('known_hosts');
      expect(await failureOf(config())).toBeUndefined();
      const lines = (await server.knownHosts()).split('\n');
      for (const known of [lines.join('\n'), lines[0]!, lines[1]!]) {
        await writeFile(file, known);
        expect(await failureOf(without('fingerprint', { knownHosts: file }))).toBeUndefined();
      }
      await server.hashNames(file);
      expect(await failureOf(without('fingerprint', { knownHosts: file })), 'hashed').toBeUndefined();
    });

    test('another key is not trusted, and told', async () => {
      const wrong = `SHA256:${'a'.repeat(43)}`;
      const denied = { code: 'STORAGE_DENIED', retryable: false };
      expect(await failureOf(config({ fingerprint: wrong }))).toMatchObject({
        ...denied,
        message: expect.stringContaining(fingerprint) as unknown,
      });
      const file = server.path('known_hosts_other');
      const [key] = (await server.knownHosts()).split('\n');
      const stranger = (await server.knownHosts()).replaceAll(/AAAA\S+/g, (blob) => `${blob.slice(0, -4)}AAAA`);
      await writeFile(file, stranger);
      expect(await failureOf(without('fingerprint', { knownHosts: file }))).toMatchObject(denied);
      await writeFile(file, `${key}\n@revoked ${key}`);
      expect(await failureOf(without('fingerprint', { knownHosts: file }))).toMatchObject({
        ...denied,
        message: expect.stringContaining('revoked') as unknown,
      });
      for (const unknown of ['', await server.knownHosts(server.port + 1)]) {
        await writeFile(file, unknown);
        expect(await failureOf(without('fingerprint', { knownHosts: file }))).toMatchObject({
          ...denied,
          message: expect.stringContaining('nothing is known') as unknown,
        });
      }
      expect(await failureOf(without('fingerprint', { knownHosts: '/nonexistent' }))).toMatchObject(denied);
      expect(await server.log(), 'nobody logged in').not.toContain('Accepted publickey for stranger');
    });

    test('a stranger, a key that others can read, and none at all are refused', async () => {
      const denied = { code: 'STORAGE_DENIED', retryable: false };
      expect(await failureOf(config({ key: server.path('stranger') }))).toMatchObject(denied);
      expect(await failureOf(config({ key: '/nonexistent/key' }))).toMatchObject(denied);
      const open = server.path('open-key');
      await copyFile(server.path('user'), open);
      await chmod(open, 0o644);
      expect(await failureOf(config({ key: open }))).toMatchObject({ ...denied, hint: expect.stringContaining('chmod 600') as unknown });
      const nonsense = server.path('nonsense');
      await writeFile(nonsense, 'no key at all', { mode: 0o600 });
      expect(await failureOf(config({ key: nonsense }))).toMatchObject(denied);
    });

    test.skipIf(whyNoDisk !== undefined)(
      `a user is let in by a password, and by no other${whyNoDisk === undefined ? '' : ` (skipped: ${whyNoDisk})`}`,
      async () => {
        await using other = await Sshd.start(runtime.clock, { password: 'correct horse' });
        const pinned = await other.fingerprint('host_ed25519');
        const settings = (password: string): SftpConfig =>
          without('key', {
            port: other.port,
            path: other.path('vault'),
            fingerprint: pinned,
            password: new Secret({ from: 'environment', name: 'TEST' }, password),
          });
        expect(await failureOf(settings('correct horse'))).toBeUndefined();
        const refused = await failureOf(settings('battery staple'));
        expect(refused).toMatchObject({ code: 'STORAGE_DENIED', retryable: false });
        expect(JSON.stringify([refused, String(refused)])).not.toContain('battery');
      },
    );

    test('a host that is not there is away', async () => {
      expect(await failureOf(config({ port: 1 }))).toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
      expect(await failureOf(config({ host: 'nonexistent.invalid' }))).toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
    });
  });

  describe('a directory there', () => {
    test('holds objects for their owner alone, and nothing is left beside them', async () => {
      const vault = server.path('own');
      await mkdir(vault);
      await using location = create('far', config({ path: vault }), runtime);
      await location.put('a/k', [bytes], { signal });
      await location.put('a/k', [bytes], { signal });
      await location.put('a/new', [bytes], { signal, ifAbsent: true });
      await expect(location.put('a/new', [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
      const modes = spawnSync('stat', ['-c', '%a', join(vault, 'a'), join(vault, 'a/k'), join(vault, '~holdfast')]).stdout.toString();
      expect(modes.trim().split('\n')).toEqual(['700', '600', '700']);
      expect(await readdir(join(vault, '~holdfast'))).toEqual([]);
      expect(location.capabilities.conditionalCreate).toBe(true);
    });

    test('is away while it is missing, and comes back', async () => {
      const vault = server.path('fickle');
      await using location = create('far', config({ path: vault }), runtime);
      const calls = [
        () => location.put('k', [bytes], { signal }),
        () => location.get('k', { signal }),
        () => location.stat('k', { signal }),
        () => Array.fromAsync(location.list('', { signal })),
        () => location.remove('k', { signal }),
      ];
      const allFail = async (): Promise<void> => {
        for (const [n, call] of calls.entries()) await expect(call(), `call ${n}`).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
      };
      await allFail();
      await mkdir(vault);
      await location.put('k', [bytes], { signal });
      await rename(vault, `${vault}-away`);
      await allFail();
      await mkdir(vault);
      await allFail();
      expect(await readdir(vault)).toEqual([]);
      await rm(vault, { recursive: true });
      await rename(`${vault}-away`, vault);
      expect(await location.get('k', { signal })).toEqual(bytes);
      expect(location.status().state).toBe('ok');
    });

    test('is rid of what cut puts have left, once it is a day old by its own clock', async () => {
      const scratch = join(server.path('left'), '~holdfast');
      await mkdir(scratch, { recursive: true });
      const [fresh, stale] = ['a', 'b'].map((letter) => join(scratch, `put-${letter.repeat(24)}`)) as [string, string];
      for (const file of [fresh, stale]) await writeFile(file, bytes);
      const old = runtime.clock.wallMs() / 1000 - 25 * 3600;
      await utimes(stale, old, old);
      await using location = create('far', config({ path: server.path('left') }), runtime);
      expect(await Array.fromAsync(location.list('', { signal }))).toEqual([]);
      expect(await readdir(scratch)).toEqual([`put-${'a'.repeat(24)}`]);
    });

    test.skipIf(whyNoDisk !== undefined)(
      `says that it is full, keeps what it has, and goes on when there is room${whyNoDisk === undefined ? '' : ` (skipped: ${whyNoDisk})`}`,
      async () => {
        await using disk = await SmallDisk.mount(server.path('small'), 4);
        await using location = create('far', config({ path: disk.path }), runtime);
        await location.put('k', [new Uint8Array(1_000_000)], { signal });
        for (const ifAbsent of [true, false])
          await expect(location.put('k2', [new Uint8Array(5_000_000)], { signal, ifAbsent })).rejects.toMatchObject({
            code: 'STORAGE_FULL',
            retryable: false,
          });
        expect(location.status().state).toBe('degraded');
        expect(await location.stat('k2', { signal })).toBeUndefined();
        expect(await readdir(join(disk.path, '~holdfast'))).toEqual([]);
        await location.put('k2', [new Uint8Array(1_000_000)], { signal });
        expect((await location.get('k', { signal })).byteLength).toBe(1_000_000);
      },
    );
  });

  test('a server without extensions creates after a look, and does not replace', async () => {
    await using plain = await Sshd.start(runtime.clock, { sftp: 'internal-sftp -P posix-rename,hardlink,fsync,statvfs' });
    const settings = {
      ...config(),
      port: plain.port,
      path: plain.path('vault'),
      key: plain.path('user'),
      fingerprint: await plain.fingerprint('host_ed25519'),
    };
    await using location = create('far', settings, runtime);
    await location.put('a/k', [bytes], { signal, ifAbsent: true });
    expect(location.capabilities.conditionalCreate).toBe(false);
    await expect(location.put('a/k', [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
    await location.put('a/k2', [bytes], { signal });
    await expect(location.put('a/k2', [bytes], { signal })).rejects.toMatchObject({ code: 'STORAGE_UNSUITABLE' });
    expect(await location.get('a/k2', { signal })).toEqual(bytes);
    expect(await readdir(plain.path('vault/~holdfast'))).toEqual([]);
  });

  test('a server whose sftp program hangs is given up', async () => {
    await using hanging = await Sshd.start(runtime.clock, { sftp: '/bin/cat >/dev/null' });
    const settings = {
      ...config(),
      port: hanging.port,
      path: hanging.path('vault'),
      key: hanging.path('user'),
      fingerprint: await hanging.fingerprint('host_ed25519'),
    };
    await using location = create('far', settings, runtime, impatient);
    await expect(location.connect(signal)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
  });

  describe('connections that break', () => {
    let proxy: CutProxy;
    let location: ReturnType<typeof create>;
    beforeEach(async () => {
      proxy = await CutProxy.open({ port: server.port }, runtime.clock);
      location = create('far', config({ port: proxy.port }), runtime, impatient);
    });
    afterEach(async () => {
      await location[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    });

    test('a put that is cut in the middle shows nothing, and is done when it is tried again', async () => {
      const data = new Uint8Array(16 * 1024 * 1024).fill(7);
      await location.stat('cut/k', { signal });
      const put = location.put('cut/k', [data], { signal });
      const cut = put.catch((error: unknown) => error);
      await runtime.clock.sleep(40);
      proxy.reset();
      expect(await cut).toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
      expect(location.status().state).toBe('away');
      const seen = await location.stat('cut/k', { signal });
      if (seen !== undefined) expect(seen.sizeBytes).toBe(data.byteLength);
      const again = retry(location, runtime, quick).put('cut/k', [data], { signal });
      await runtime.clock.sleep(40);
      proxy.reset();
      await again;
      expect(Buffer.compare(await location.get('cut/k', { signal }), data)).toBe(0);
      expect(location.status().state).toBe('ok');
    });

    test('all calls under way fail together, and one connection is opened for all that follow', async () => {
      const patient = retry(location, runtime, quick);
      const all = Promise.all(
        Array.from({ length: 20 }, (_, n) => patient.put(`many/${n}`, [new Uint8Array(500_000).fill(n)], { signal, ifAbsent: true })),
      );
      await runtime.clock.sleep(100);
      proxy.reset();
      await all;
      expect(proxy.connections).toBe(1);
      for (let n = 0; n < 20; n += 1)
        expect((await location.get(`many/${n}`, { signal, range: { offset: 499_999, sizeBytes: 1 } }))[0]).toBe(n);
    });

    test('a server that says nothing is found out', async () => {
      await location.put('k', [bytes], { signal });
      proxy.hang();
      const calls = [location.get('k', { signal }), location.put('k', [bytes], { signal }), Array.fromAsync(location.list('', { signal }))];
      for (const result of await Promise.allSettled(calls))
        expect(result).toMatchObject({ reason: { code: 'STORAGE_UNREACHABLE', retryable: true } });
      // So is one that says nothing from the beginning.
      await expect(location.stat('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
      await proxy.restore();
      expect(await retry(location, runtime, quick).get('k', { signal })).toEqual(bytes);
    });

    test('an abort is heard while nothing moves', async () => {
      await location.put('k', [bytes], { signal });
      proxy.hang();
      const reason = new Error('not wanted any more');
      const abort = new AbortController();
      const calls = [location.get('k', { signal: abort.signal }), location.put('k', [bytes], { signal: abort.signal })];
      await runtime.clock.sleep(20);
      abort.abort(reason);
      for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ reason });
      await proxy.restore();
    });

    test('a server that is killed and started again is connected to again', async () => {
      await location.put('k', [bytes], { signal });
      await Promise.all([server.kill(), proxy.cut()]);
      await proxy.restore();
      await expect(location.get('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
      const patient = retry(location, runtime, quick).get('k', { signal });
      await server.restart();
      expect(await patient).toEqual(bytes);
    });
  });
});
