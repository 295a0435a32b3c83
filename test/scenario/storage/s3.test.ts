import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createClock } from '../../../src/runtime/clock.ts';
import { createRandom } from '../../../src/runtime/random.ts';
import type { S3Config } from '../../../src/storage/adapters/s3/config.ts';
import { create } from '../../../src/storage/adapters/s3/index.ts';
import { describeLocationContract } from '../../../src/storage/contract.ts';
import { retry } from '../../../src/storage/decorators/retry.ts';
import type { Location } from '../../../src/storage/location.ts';
import { CutProxy } from '../servers/cut-proxy.ts';
import { Buckets } from './buckets.ts';
import { type Meddling, MeddlingProxy } from './meddling-proxy.ts';
import { Radosgw, type S3User, whyNoRadosgw } from './radosgw.ts';
import { putsBySkewedClock, whyNoSkewedClock } from './skewed-clock.ts';
import { TlsEntrance } from './tls-entrance.ts';

const why = whyNoRadosgw();
const whyNoSkew = whyNoSkewedClock();
const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const signal = new AbortController().signal;
const bytes = new TextEncoder().encode('bytes');
const quick = { attemptsMax: 5, timeMaxMs: 30_000, pauseMs: 20, pauseMsMax: 100 };
const quotaBytes = 1_000_000;

describe.skipIf(why !== undefined)(`S3 on a real radosgw${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let server: Radosgw;
  let owner: S3User;
  let reader: S3User;
  let buckets: Buckets;
  beforeAll(async () => {
    server = await Radosgw.start(runtime.clock);
    [owner, reader] = await Promise.all([server.addUser('owner'), server.addUser('reader')]);
    buckets = new Buckets(server, owner);
    for (const bucket of ['contract', 'versioned', 'capped']) await buckets.make(bucket);
  });
  afterAll(async () => {
    buckets?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const secret = (value: string): Secret => new Secret({ from: 'environment', name: 'TEST' }, value);
  const config = (overrides: Partial<S3Config> = {}, user = owner): S3Config => ({
    bucket: 'contract',
    endpoint: server.endpoint,
    accessKey: secret(user.accessKey),
    secretKey: secret(user.secretKey),
    ...overrides,
  });
  const calls: Readonly<Record<string, (location: Location) => Promise<unknown>>> = {
    put: (location) => location.put('k', [bytes], { signal }),
    'put if absent': (location) => location.put('k', [bytes], { signal, ifAbsent: true }),
    get: (location) => location.get('k', { signal }),
    stat: (location) => location.stat('k', { signal }),
    list: (location) => Array.fromAsync(location.list('', { signal })),
    remove: (location) => location.remove('k', { signal }),
  };

  describeLocationContract('S3', { clock: runtime.clock, open: async () => create('cloud', config({ prefix: 'some/prefix' }), runtime) });

  describe('a store and its rights', () => {
    test('says what it can do once it has been asked', async () => {
      await buckets.keepVersions('versioned');
      await using plain = create('cloud', config(), runtime);
      expect(plain.capabilities).toEqual({ conditionalCreate: false, keepsOldVersions: false });
      await plain.connect(signal);
      expect(plain.capabilities).toEqual({ conditionalCreate: true, keepsOldVersions: false });
      await using versioned = create('cloud', config({ bucket: 'versioned' }), runtime);
      await versioned.connect(signal);
      expect(versioned.capabilities.keepsOldVersions).toBe(true);
    });

    test('lists nothing of what others keep in the bucket', async () => {
      for (const key of ['others/ü b', 'others/a//b', 'others/~x', 'others/%41', 'others/a&<b>', 'others-too/a', 'others/ours'])
        await buckets.put('contract', key);
      await using location = create('cloud', config({ prefix: 'others' }), runtime);
      expect((await Array.fromAsync(location.list('', { signal }))).map(({ key }) => key)).toEqual(['ours']);
    });

    test('lets who may only read do so, and says what is refused', async () => {
      await buckets.allow('contract', reader, ['s3:GetObject', 's3:ListBucket']);
      await buckets.put('contract', 'read/k');
      await using location = create('cloud', config({ prefix: 'read' }, reader), runtime);
      await location.connect(signal);
      expect(location.capabilities.conditionalCreate).toBe(false);
      expect(new TextDecoder().decode(await location.get('k', { signal }))).toBe('x');
      expect(await location.stat('none', { signal })).toBeUndefined();
      expect(await Array.fromAsync(location.list('', { signal }))).toHaveLength(1);
      for (const name of ['put', 'remove'])
        await expect(calls[name]!(location), name).rejects.toMatchObject({ code: 'STORAGE_DENIED', retryable: false });
      expect(location.status()).toMatchObject({ state: 'away', message: expect.stringContaining('AccessDenied') as unknown });
    });

    test.each(Object.keys(calls))('%s refuses wrong keys, and does not tell them', async (name) => {
      for (const wrong of [
        { ...owner, secretKey: 'wrong-secret' },
        { ...owner, accessKey: 'nobody' },
      ]) {
        await using location = create('cloud', config({}, wrong), runtime);
        const error: unknown = await calls[name]!(location).catch((failure: unknown) => failure);
        expect(error).toMatchObject({ code: 'STORAGE_DENIED', retryable: false });
        expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toContain('secret');
      }
    });

    test.each(Object.keys(calls))('%s tells a bucket that is gone from an object that is', async (name) => {
      await using location = create('cloud', config({ bucket: 'gone' }), runtime);
      await expect(calls[name]!(location)).rejects.toMatchObject({
        code: 'STORAGE_UNREACHABLE',
        retryable: false,
        message: expect.stringContaining('NoSuchBucket') as unknown,
      });
    });

    test('says that it is full when its quota is reached, and takes more when there is room', async () => {
      await server.admin('quota', 'set', '--quota-scope=bucket', '--bucket=capped', `--max-size=${quotaBytes}`);
      await server.admin('quota', 'enable', '--quota-scope=bucket', '--bucket=capped');
      await using location = create('cloud', config({ bucket: 'capped' }), runtime);
      await location.put('k', [new Uint8Array(quotaBytes / 2)], { signal });
      await expect(location.put('more', [new Uint8Array(quotaBytes)], { signal })).rejects.toMatchObject({
        code: 'STORAGE_FULL',
        retryable: false,
      });
      expect(location.status().state).toBe('degraded');
      expect(await location.stat('more', { signal })).toBeUndefined();
    });

    test.skipIf(whyNoSkew !== undefined)(
      `tells a clock that differs, and counts the difference in from then on${whyNoSkew === undefined ? '' : ` (skipped: ${whyNoSkew})`}`,
      async () => {
        const outcomes = await putsBySkewedClock(server.endpoint, owner, 'contract');
        expect(outcomes).toEqual(['STORAGE_DENIED true RequestTimeTooSkewed', 'done']);
      },
    );

    test('is away where nobody listens', async () => {
      await using location = create('cloud', config({ endpoint: 'http://127.0.0.1:1' }), runtime);
      await expect(location.connect(signal)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
    });

    test('speaks TLS with who proves to be the endpoint', async () => {
      await using tls = await TlsEntrance.open(server.port);
      const authority = join(tls.directory, 'ca.pem');
      const secured = (overrides: Partial<S3Config>) =>
        create('cloud', config({ prefix: 'tls', endpoint: tls.endpoint, ...overrides }), runtime);
      await using trusting = secured({ ca: authority });
      await trusting.put('k', [bytes], { signal, ifAbsent: true });
      expect(await trusting.get('k', { signal })).toEqual(bytes);
      const refused = { code: 'STORAGE_DENIED', retryable: false, hint: expect.stringContaining('`ca`') as unknown };
      await using unknown = secured({});
      await expect(unknown.stat('k', { signal })).rejects.toMatchObject(refused);
      await using elsewhere = await TlsEntrance.open(server.port, '127.0.0.2');
      await using misnamed = secured({ ca: join(elsewhere.directory, 'ca.pem'), endpoint: elsewhere.endpoint });
      await expect(misnamed.stat('k', { signal })).rejects.toMatchObject(refused);
    });

    test('needs the file of its CA', async () => {
      await using location = create('cloud', config({ ca: '/nonexistent/ca.pem' }), runtime);
      await expect(location.stat('k', { signal })).rejects.toMatchObject({
        code: 'STORAGE_UNSUITABLE',
        message: expect.stringContaining('ca.pem') as unknown,
      });
    });
  });

  describe('answers that are none', () => {
    let proxy: MeddlingProxy;
    let location: ReturnType<typeof create>;
    beforeEach(async () => {
      proxy = await MeddlingProxy.open(server.port);
      location = create('cloud', config({ endpoint: proxy.endpoint, prefix: 'meddled' }), runtime);
      await location.connect(signal);
    });
    afterEach(async () => {
      await location[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    });

    /** Meddles with the first so many requests of a kind. */
    const first = (count: number, method: string, meddling: Meddling): void => {
      let left = count;
      proxy.meddle = (incoming) => (incoming.method === method && left-- > 0 ? meddling : undefined);
    };
    const fault = (word: string): string => `<?xml version="1.0"?><Error><Code>${word}</Code><Message>no</Message></Error>`;

    test.each<[number, string, string, string, boolean]>([
      [503, fault('SlowDown'), 'STORAGE_BUSY', 'SlowDown', true],
      [500, fault('InternalError'), 'STORAGE_BUSY', 'InternalError', true],
      [502, '<html>bad gateway</html>', 'STORAGE_BUSY', '502', true],
      [429, '', 'STORAGE_BUSY', '429', true],
      [409, fault('OperationAborted'), 'STORAGE_BUSY', 'OperationAborted', true],
      [400, fault('BadDigest'), 'STORAGE_UNREACHABLE', 'BadDigest', true],
      [507, fault('InsufficientStorage'), 'STORAGE_FULL', '507', false],
      [301, fault('PermanentRedirect'), 'STORAGE_UNSUITABLE', 'PermanentRedirect', false],
      [400, fault('AuthorizationHeaderMalformed'), 'STORAGE_UNSUITABLE', 'AuthorizationHeaderMalformed', false],
      [403, fault('ExpiredToken'), 'STORAGE_DENIED', 'ExpiredToken', false],
      [404, '', 'STORAGE_UNSUITABLE', '404', false],
    ])('HTTP %d %s is %s', async (status, body, code, word, retryable) => {
      first(1, 'PUT', { type: 'answer', status, body });
      await expect(location.put('k', [bytes], { signal })).rejects.toMatchObject({
        code,
        retryable,
        message: expect.stringContaining(word) as unknown,
      });
    });

    test('a busy store is asked again', async () => {
      const patient = retry(location, runtime, quick);
      for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
        first(3, method, { type: 'answer', status: 503, body: method === 'HEAD' ? '' : fault('SlowDown') });
        await patient.put('k', [bytes], { signal });
        expect(await patient.get('k', { signal })).toEqual(bytes);
        expect(await patient.stat('k', { signal })).toMatchObject({ sizeBytes: 5 });
        expect(await Array.fromAsync(patient.list('', { signal }))).toHaveLength(1);
        await patient.remove('k', { signal });
        expect(await patient.stat('k', { signal })).toBeUndefined();
      }
    });

    test('an object that is cut short on its way is no object', async () => {
      const data = new Uint8Array(300_000).fill(7);
      await location.put('k', [data], { signal });
      first(1, 'GET', { type: 'cut-answer', afterBytes: 100_000 });
      await expect(location.get('k', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
      first(1, 'GET', { type: 'cut-answer', afterBytes: 100_000 });
      expect(await retry(location, runtime, quick).get('k', { signal, range: { offset: 1, sizeBytes: 200_000 } })).toEqual(
        data.subarray(1, 200_001),
      );
      first(1, 'GET', { type: 'rewrite-answer', rewrite: (body) => body.slice(0, 100) });
      await expect(location.get('k', { signal, range: { offset: 0, sizeBytes: 200 } })).rejects.toMatchObject({
        code: expect.stringMatching(/DAMAGED|UNSUITABLE/) as unknown,
      });
    });

    test('a creation whose answer is lost is known again', async () => {
      const patient = retry(location, runtime, quick);
      first(1, 'PUT', { type: 'lose-answer' });
      await patient.put('lock', [bytes], { signal, ifAbsent: true });
      await expect(patient.put('lock', [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
    });

    test('a list that does not say how to go on is not taken for whole', async () => {
      await location.put('k', [bytes], { signal });
      first(1, 'GET', { type: 'rewrite-answer', rewrite: (body) => body.replace('<IsTruncated>false', '<IsTruncated>true') });
      await expect(calls['list']!(location)).rejects.toMatchObject({ code: 'STORAGE_UNSUITABLE' });
      first(1, 'GET', { type: 'rewrite-answer', rewrite: (body) => body.slice(0, body.length / 2) });
      await expect(calls['list']!(location)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    });

    test.each<[string, number]>([
      ['takes every creation', 200],
      ['knows no conditions', 501],
    ])('a store that %s is looked at before', async (_, status) => {
      await using other = create('cloud', config({ endpoint: proxy.endpoint, prefix: `unconditional-${status}` }), runtime);
      proxy.meddle = ({ method, url }) =>
        method === 'PUT' && url!.includes('~holdfast') ? { type: 'answer', status, body: '' } : undefined;
      await other.connect(signal);
      expect(other.capabilities.conditionalCreate).toBe(false);
      await other.put('k', [bytes], { signal, ifAbsent: true });
      await expect(other.put('k', [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
    });
  });

  describe('connections that break', () => {
    let proxy: CutProxy;
    let location: ReturnType<typeof create>;
    beforeEach(async () => {
      proxy = await CutProxy.open({ port: server.port }, runtime.clock);
      location = create('cloud', config({ endpoint: `http://127.0.0.1:${proxy.port}`, prefix: 'cut' }), runtime, {
        connectMsMax: 500,
        stallMsMax: 500,
      });
    });
    afterEach(async () => {
      await location[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    });

    test('a put that is cut in the middle shows nothing, and is done when it is tried again', async () => {
      const data = new Uint8Array(16 * 1024 * 1024).fill(7);
      await location.stat('k', { signal });
      const put = location.put('k', [data], { signal });
      const cut = put.catch((error: unknown) => error);
      await runtime.clock.sleep(30);
      proxy.reset();
      expect(await cut).toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
      expect(location.status().state).toBe('away');
      const seen = await location.stat('k', { signal });
      if (seen !== undefined) expect(seen.sizeBytes).toBe(data.byteLength);
      const again = retry(location, runtime, quick).put('k', [data], { signal });
      await runtime.clock.sleep(30);
      proxy.reset();
      await again;
      expect(Buffer.compare(await location.get('k', { signal }), data)).toBe(0);
      expect(location.status().state).toBe('ok');
    });

    test.each(['to-server', 'to-client'] as const)('a store that says nothing (%s) is given up', async (way) => {
      await location.put('k', [bytes], { signal });
      proxy.hang(way);
      const started = Object.keys(calls).map(async (name) => await calls[name]!(location).catch((error: unknown) => error));
      for (const failure of await Promise.all(started)) expect(failure).toMatchObject({ code: 'STORAGE_UNREACHABLE', retryable: true });
      await proxy.restore();
      await retry(location, runtime, quick).put('k', [bytes], { signal });
    });

    test('an abort is heard while nothing moves', async () => {
      await location.put('k', [bytes], { signal });
      proxy.hang();
      for (const [name, call] of Object.entries({
        put: (given: AbortSignal) => location.put('k', [bytes], { signal: given }),
        get: (given: AbortSignal) => location.get('k', { signal: given }),
        list: (given: AbortSignal) => Array.fromAsync(location.list('', { signal: given })),
      })) {
        const abort = new AbortController();
        const reason = new Error('not wanted any more');
        const ended = call(abort.signal).catch((error: unknown) => error);
        await runtime.clock.sleep(20);
        abort.abort(reason);
        expect(await ended, name).toBe(reason);
      }
    });
  });
});
