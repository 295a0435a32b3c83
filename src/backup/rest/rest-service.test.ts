import { createHash, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../core/logger.ts';

import { seededRandom, SimulatedTime } from '../../sim/index.ts';
import { MemoryLocation } from '../../storage/adapters/memory/index.ts';
import { createMirror } from '../../storage/combinators/mirror/mirror.ts';
import { busy, damaged, full, unreachable } from '../../storage/failures.ts';
import type { RestAnswer } from './answer.ts';
import { type RestMode, type RestOptions, RestService } from './rest-service.ts';

const { signal } = new AbortController();

/** A memory that can be told to fail. */
class Fragile extends MemoryLocation {
  failure: Error | undefined;

  override async get(...args: Parameters<MemoryLocation['get']>): Promise<Uint8Array> {
    if (this.failure !== undefined) throw this.failure;
    return await super.get(...args);
  }

  override async put(...args: Parameters<MemoryLocation['put']>): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    await super.put(...args);
  }

  override async *list(...args: Parameters<MemoryLocation['list']>): AsyncGenerator<Awaited<ReturnType<MemoryLocation['stat']>> & object> {
    if (this.failure !== undefined) throw this.failure;
    yield* super.list(...args);
  }
}

let time: SimulatedTime;
let location: Fragile;
beforeEach(() => {
  time = new SimulatedTime();
  location = new Fragile('here', { clock: time.clock() });
});

function serviceOf(mode: RestMode = 'full', more: RestOptions = {}): RestService {
  return new RestService(location, { clock: time.clock(), random: seededRandom('rest'), logger: silentLogger }, { mode, ...more });
}

async function* bodyOf(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

function ask(
  service: RestService,
  method: string,
  url: string,
  headers: Record<string, string> = {},
  ...body: readonly Uint8Array[]
): Promise<RestAnswer> {
  return service.answer({ method, url, headers, body: bodyOf(...body) }, { signal });
}

async function textOf({ body }: RestAnswer): Promise<string> {
  if (body === undefined) return '';
  return body instanceof Uint8Array ? Buffer.from(body).toString() : (await Array.fromAsync(body)).join('');
}

function idOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const pack = randomBytes(300_000);
const url = `/data/${idOf(pack)}`;
const key = `data/${idOf(pack).slice(0, 2)}/${idOf(pack)}`;

describe('objects', () => {
  test('are kept under the keys of a repository, and come back whole, in part, and by their size', async () => {
    const service = serviceOf();
    expect(await ask(service, 'HEAD', url)).toMatchObject({ status: 404 });
    expect(await ask(service, 'GET', url)).toMatchObject({ status: 404 });
    expect(await ask(service, 'POST', url, {}, pack.subarray(0, 1), pack.subarray(1, 200_000), pack.subarray(200_000))).toMatchObject({
      status: 200,
    });
    expect(Buffer.compare(await location.get(key, { signal }), pack)).toBe(0);
    expect(await ask(service, 'HEAD', url)).toMatchObject({ status: 200, headers: { 'content-length': '300000' } });
    expect((await ask(service, 'GET', url)).body).toEqual(new Uint8Array(pack));
    const part = await ask(service, 'GET', url, { range: 'bytes=10-19' });
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 10-19/300000' } });
    expect(part.body).toEqual(new Uint8Array(pack.subarray(10, 20)));
  });

  test.each([
    ['bytes=0-', 206, 'bytes 0-299999/300000'],
    ['bytes=299999-299999', 206, 'bytes 299999-299999/300000'],
    ['bytes=299990-999999', 206, 'bytes 299990-299999/300000'],
    ['bytes=-5', 206, 'bytes 299995-299999/300000'],
    ['bytes=-999999999', 206, 'bytes 0-299999/300000'],
    ['bytes=300000-', 416, 'bytes */300000'],
    ['bytes=-0', 416, 'bytes */300000'],
    ['bytes=5-4', 200, undefined],
    ['bytes=0-1,5-6', 200, undefined],
    ['bytes=-', 200, undefined],
    ['lines=1-2', 200, undefined],
    ['bytes=99999999999999999999-', 200, undefined],
  ])('range %s', async (range, status, contentRange) => {
    await location.put(key, [pack], { signal });
    const answered = await ask(serviceOf(), 'GET', url, { range });
    expect([answered.status, answered.headers['content-range']]).toEqual([status, contentRange]);
    if (status === 416) return;
    const [, first = '0', last = '299999'] = /(\d+)-(\d+)/.exec(contentRange ?? '') ?? [];
    expect(Buffer.compare(answered.body as Uint8Array, pack.subarray(Number(first), Number(last) + 1))).toBe(0);
  });

  test('what is not what its name says is seen by nobody', async () => {
    expect(await ask(serviceOf(), 'POST', url, {}, pack.subarray(1))).toMatchObject({ status: 400 });
    expect(await ask(serviceOf(), 'POST', url)).toMatchObject({ status: 400 });
    expect(await Array.fromAsync(location.list('', { signal }))).toEqual([]);
  });

  test('what would overwrite something is forbidden, as rest-server says', async () => {
    await ask(serviceOf(), 'POST', url, {}, pack);
    expect(await ask(serviceOf(), 'POST', url, {}, pack.subarray(1))).toMatchObject({ status: 403 });
    expect(Buffer.compare(await location.get(key, { signal }), pack)).toBe(0);
  });

  test('the same once more is no failure and writes nothing; a damaged copy is replaced', async () => {
    const service = serviceOf('append-only');
    await ask(service, 'POST', url, {}, pack);
    const before = await location.stat(key, { signal });
    await time.advance(1_000);
    expect(await ask(service, 'POST', url, {}, pack)).toMatchObject({ status: 200 });
    expect(await location.stat(key, { signal })).toEqual(before);
    await location.put(key, [pack.subarray(1)], { signal });
    expect(await ask(service, 'POST', url, {}, pack)).toMatchObject({ status: 200 });
    expect(Buffer.compare(await location.get(key, { signal }), pack)).toBe(0);
    expect((await ask(service, 'GET', url, { range: 'bytes=299999-' })).body).toEqual(new Uint8Array(pack.subarray(-1)));
  });

  test('a removed one is gone, and removing it again is no failure', async () => {
    const service = serviceOf();
    await ask(service, 'POST', url, {}, pack);
    await ask(service, 'GET', url);
    for (const again of [false, true]) expect(await ask(service, 'DELETE', url), String(again)).toMatchObject({ status: 200 });
    expect(await ask(service, 'GET', url)).toMatchObject({ status: 404 });
  });

  test('a config is created once', async () => {
    const service = serviceOf();
    expect(await ask(service, 'POST', '/?create=true')).toMatchObject({ status: 200 });
    expect(await ask(service, 'POST', '/config', {}, Buffer.from('first'))).toMatchObject({ status: 200 });
    expect(await ask(service, 'POST', '/config', {}, Buffer.from('second'))).toMatchObject({ status: 403 });
    expect(await textOf(await ask(service, 'GET', '/config'))).toBe('first');
    expect(await ask(service, 'HEAD', '/config')).toMatchObject({ headers: { 'content-length': '5' } });
    expect(await ask(service, 'DELETE', '/config')).toMatchObject({ status: 200 });
    expect(await ask(service, 'GET', '/config')).toMatchObject({ status: 404 });
  });
});

describe('lists', () => {
  test('are names in version 1, names and sizes in version 2, and of files of a repository only', async () => {
    await location.put(key, [pack], { signal });
    for (const other of ['data/00/leftover', `data/ff/${idOf(pack)}`, 'data/x']) await location.put(other, [pack], { signal });
    const v1 = await ask(serviceOf(), 'GET', '/data/');
    expect([v1.headers['content-type'], await textOf(v1)]).toEqual(['application/vnd.x.restic.rest.v1', JSON.stringify([idOf(pack)])]);
    const v2 = await ask(serviceOf(), 'GET', '/data/', { accept: 'application/vnd.x.restic.rest.v2' });
    expect(v2.headers['content-type']).toBe('application/vnd.x.restic.rest.v2');
    expect(JSON.parse(await textOf(v2))).toEqual([{ name: idOf(pack), size: 300_000 }]);
    expect(await textOf(await ask(serviceOf(), 'GET', '/locks/'))).toBe('[]');
  });

  test('long ones come in pieces', async () => {
    const ids = Array.from({ length: 9_000 }, (_, index) => idOf(Buffer.from(String(index))));
    for (const id of ids) await location.put(`index/${id}`, [new Uint8Array(1)], { signal });
    const { body } = await ask(serviceOf(), 'GET', '/index/');
    const pieces = await Array.fromAsync(body as AsyncIterable<string>);
    expect(pieces.length).toBeGreaterThan(1);
    expect((JSON.parse(pieces.join('')) as string[]).toSorted()).toEqual(ids.toSorted());
  });

  test('a list that fails at once is no list', async () => {
    location.failure = unreachable('here', 'cut');
    expect(await ask(serviceOf(), 'GET', '/data/')).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  });
});

describe('a location of several copies', () => {
  test.each([
    ['flipped', (bytes: Buffer) => bytes.fill(0, 5, 15)],
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 7)],
  ])('gives no part of a damaged copy, %s, while there is a good one', async (_how, damage) => {
    const other = new Fragile('there', { clock: time.clock() });
    const runtime = { clock: time.clock(), random: seededRandom('rest'), logger: silentLogger };
    await using mirror = createMirror('both', [location, other], runtime);
    const service = new RestService(mirror, runtime);
    await ask(service, 'POST', url, {}, pack);
    for (const copy of [location, other]) {
      await location.put(key, [pack], { signal });
      await other.put(key, [pack], { signal });
      await copy.put(key, [damage(Buffer.from(pack))], { signal });
      const fresh = new RestService(mirror, runtime);
      expect((await ask(fresh, 'GET', url, { range: 'bytes=10-19' })).body).toEqual(new Uint8Array(pack.subarray(10, 20)));
    }
    // What is good of one that is damaged everywhere is better than nothing.
    for (const copy of [location, other]) await copy.put(key, [Buffer.from(pack).fill(0, 100)], { signal });
    const last = new RestService(mirror, runtime);
    expect((await ask(last, 'GET', url, { range: 'bytes=10-19' })).body).toEqual(new Uint8Array(pack.subarray(10, 20)));
    expect(await ask(last, 'GET', url)).toMatchObject({ status: 500 });
  });
});

describe('what is refused', () => {
  test.each([
    ['GET', '/', 405],
    ['PUT', url, 405],
    ['POST', '/data/', 405],
    ['constructor', url, 405],
    ['DELETE', '/', 501],
    ['GET', '/data', 404],
    ['GET', '//data/', 404],
    ['GET', `/data/../keys/${idOf(pack)}`, 404],
    ['GET', `/data/%2e%2e/config`, 404],
    ['GET', `${url}/`, 404],
    ['GET', url.toUpperCase(), 404],
    ['GET', url.slice(0, -1), 404],
    ['GET', `/other/${idOf(pack)}`, 404],
    ['GET', `/${'a'.repeat(10_000)}`, 404],
    ['GET', '', 404],
  ])('%s %s is %i', async (method, path, status) => {
    await location.put(key, [pack], { signal });
    expect(await ask(serviceOf(), method, path)).toMatchObject({ status });
    expect(await location.stat(key, { signal })).toBeDefined();
  });

  test.each([
    ['append-only', 'DELETE', url, 403],
    ['append-only', 'DELETE', url.replace('data', 'keys'), 403],
    ['append-only', 'DELETE', url.replace('data', 'snapshots'), 403],
    ['append-only', 'DELETE', url.replace('data', 'index'), 403],
    ['append-only', 'DELETE', '/config', 403],
    ['append-only', 'DELETE', '/', 403],
    ['append-only', 'DELETE', url.replace('data', 'locks'), 200],
    ['append-only', 'POST', url, 200],
    ['read-only', 'POST', url, 403],
    ['read-only', 'POST', url.replace('data', 'locks'), 403],
    ['read-only', 'POST', '/?create=true', 403],
    ['read-only', 'DELETE', url.replace('data', 'locks'), 403],
    ['read-only', 'GET', '/data/', 200],
  ] as const)('%s: %s %s is %i', async (mode, method, path, status) => {
    expect(await ask(serviceOf(mode), method, path, {}, pack)).toMatchObject({ status });
  });

  test.each([
    [full('here', 'quota'), 507],
    [busy('here', '/secret/path'), 503],
    [damaged('here', 'x', 'is bad'), 500],
    [new Error('/secret/path'), 500],
  ])('%s is told by its status, and where only to the log', async (failure, status) => {
    location.failure = failure;
    const answered = await ask(serviceOf(), 'POST', url, {}, pack);
    expect(answered).toMatchObject({ status, failure });
    expect(await textOf(answered)).not.toContain('secret');
  });

  test('what is too large is, whether it says so or not, and whatever it says', async () => {
    const service = serviceOf('full', { limits: { objectBytesMax: 250_000, smallBytesMax: 100 } });
    expect(await ask(service, 'POST', url, { 'content-length': '300000' }, pack)).toMatchObject({ status: 413 });
    expect(await ask(service, 'POST', url, {}, pack)).toMatchObject({ status: 413 });
    expect(await ask(service, 'POST', url, { 'content-length': '5' }, pack)).toMatchObject({ status: 413 });
    expect(await ask(service, 'POST', url, { 'content-length': 'many' }, pack)).toMatchObject({ status: 413 });
    expect(await ask(service, 'POST', url, { 'content-encoding': 'gzip' }, pack)).toMatchObject({ status: 415 });
    expect(await ask(service, 'POST', `/locks/${idOf(pack)}`, {}, pack.subarray(0, 101))).toMatchObject({ status: 413 });
  });
});

describe('bounds', () => {
  async function* cutOff(): AsyncGenerator<Uint8Array> {
    yield pack.subarray(0, 10);
    throw new Error('aborted');
  }
  async function* never(): AsyncGenerator<Uint8Array> {
    yield pack.subarray(0, 10);
    await new Promise(() => {});
  }

  test('a body that is cut, or comes too slowly, leaves nothing behind, and lets its memory go', async () => {
    const service = serviceOf('full', { limits: { roomBytes: 300_000, bodyMs: 1_000, bytesPerSecondMin: 300_000 } });
    const post = (body: AsyncIterable<Uint8Array>) =>
      service.answer({ method: 'POST', url, headers: { 'content-length': '300000' }, body }, { signal });
    expect(await post(cutOff())).toMatchObject({ status: 400 });
    const slow = post(never());
    await time.advance(2_001);
    expect(await slow).toMatchObject({ status: 408 });
    expect(await Array.fromAsync(location.list('', { signal }))).toEqual([]);
    expect(await post(bodyOf(pack))).toMatchObject({ status: 200 });
  });

  test('answers that nobody takes bound what is read; who waits too long is told so', async () => {
    await location.put(key, [pack], { signal });
    const service = serviceOf('full', { limits: { roomBytes: 500_000, waitMsMax: 5_000 } });
    const first = await ask(service, 'GET', url);
    const second = ask(service, 'GET', url);
    await time.advance(5_001);
    expect(await second).toMatchObject({ status: 503 });
    const third = ask(service, 'GET', url);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(await third).toMatchObject({ status: 200 });
  });

  test('the end of the server ends what waits', async () => {
    const stop = new AbortController();
    const waiting = serviceOf().answer({ method: 'POST', url, headers: {}, body: never() }, { signal: stop.signal });
    stop.abort(new Error('the end'));
    await expect(waiting).rejects.toThrow('the end');
  });
});

describe('a bound on what is stored', () => {
  const other = randomBytes(300_000);
  const small = Buffer.from('a lock');
  const post = (service: RestService, kind: string, bytes: Uint8Array): Promise<RestAnswer> =>
    ask(service, 'POST', `/${kind}/${idOf(bytes)}`, { 'content-length': String(bytes.byteLength) }, bytes);

  test('counts what is there, what comes and what goes, each once', async () => {
    await location.put('journal/of/others', [new Uint8Array(100_000)], { signal });
    const service = serviceOf('full', { storedBytesMax: 500_000 });
    expect(await post(service, 'data', pack)).toMatchObject({ status: 200 });
    expect(await post(service, 'data', other)).toMatchObject({ status: 507 });
    expect(await post(service, 'locks', small)).toMatchObject({ status: 200 });
    expect(await ask(service, 'DELETE', url)).toMatchObject({ status: 200 });
    expect(await ask(service, 'DELETE', url)).toMatchObject({ status: 200 });
    expect(await post(service, 'data', other)).toMatchObject({ status: 200 });
    expect(await post(service, 'data', pack)).toMatchObject({ status: 507 });
  });

  test('what was not stored takes no room; what others removed is seen after an hour', async () => {
    const service = serviceOf('full', { storedBytesMax: 350_000 });
    location.failure = busy('here', 'now');
    expect(await post(service, 'index', pack)).toMatchObject({ status: 503 });
    location.failure = undefined;
    for (const again of [1, 2])
      expect(await post(service, 'index', pack.subarray(again)), String(again)).toMatchObject({ status: again === 1 ? 200 : 507 });
    expect(await ask(service, 'DELETE', `/index/${idOf(pack.subarray(1))}`)).toMatchObject({ status: 200 });
    expect(await ask(service, 'POST', `/data/${idOf(other)}`, { 'content-length': '300000' }, pack)).toMatchObject({ status: 400 });
    expect(await post(service, 'data', pack)).toMatchObject({ status: 200 });
    await location.remove(key, { signal });
    expect(await post(service, 'data', other)).toMatchObject({ status: 507 });
    await time.advance(3_600_000);
    expect(await post(service, 'data', other)).toMatchObject({ status: 200 });
  });
});
