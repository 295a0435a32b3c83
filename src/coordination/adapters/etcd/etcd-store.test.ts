import { Server, ServerCredentials, status, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { Secret } from '../../../core/secret.ts';
import { createClock } from '../../../runtime/index.ts';
import type { EtcdConfig } from './config.ts';
import { EtcdStore } from './etcd-store.ts';
import { encodeMessage, readFields, type WireValue } from './protobuf.ts';

// What a real etcd does seldom or only in certain versions: an etcd of another gRPC implementation that answers as a test says.

const clock = createClock();
const runtime = { clock, random: { next: () => 0 }, logger: silentLogger };

type Fields = Readonly<Record<number, WireValue | readonly WireValue[]>>;
/** The fields of the answer but the header; or a refusal; or nothing, ever. */
type Answer = Fields | { readonly code: number; readonly details: string } | 'silence';

class FakeEtcd implements AsyncDisposable {
  clusterId = 7n;
  revision = 100n;
  term = 3n;
  /** How often each method was called. */
  readonly calls = { Range: 0, Txn: 0, LeaseGrant: 0, LeaseRevoke: 0, Authenticate: 0, LeaseKeepAlive: 0 };
  readonly tokens: (string | undefined)[] = [];
  onRange: (request: Buffer) => Answer = () => ({});
  onTxn: (request: Buffer) => Answer | Promise<Answer> = () => ({ 2: true });
  onAuthenticate: (calls: number) => Answer = (calls) => ({ 2: `token-${calls}` });
  /** What is told on a new watch; undefined at the end: the stream is ended, else it stays open. */
  onWatch: (fromRevision: bigint, token: string | undefined) => (Fields | undefined)[] = () => [{ 3: true }];
  onKeepAlive: (leaseId: bigint) => Answer = (leaseId) => ({ 2: leaseId, 3: 2 });
  readonly #server = new Server();
  #port = 0;

  static async start(): Promise<FakeEtcd> {
    const fake = new FakeEtcd();
    fake.#server.addService(definition, fake.#handlers());
    fake.#port = await new Promise((resolve, reject) =>
      fake.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port))),
    );
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  #reply(answer: Fields): Buffer {
    const header = encodeMessage({ 1: this.clusterId, 2: 1, 3: this.revision, 4: this.term });
    return encodeMessage({ 1: header, ...answer });
  }

  #handlers(): UntypedServiceImplementation {
    type Call = { request: Buffer; metadata: { get(name: string): unknown[] } };
    type Callback = (error: object | null, reply?: Buffer) => void;
    const unary = (method: keyof FakeEtcd['calls'], answer: (request: Buffer) => Answer | Promise<Answer>) => {
      const reply = async ({ request, metadata }: Call, callback: Callback): Promise<void> => {
        this.calls[method] += 1;
        this.tokens.push(metadata.get('token')[0] as string | undefined);
        const given = await answer(request);
        if (given === 'silence') return;
        if ('code' in given) callback(given);
        else callback(null, this.#reply(given));
      };
      return (call: Call, callback: Callback): void => void reply(call, callback);
    };
    type Stream = NodeJS.EventEmitter & { metadata: Call['metadata']; write(reply: Buffer): void; end(): void };
    return {
      Watch: (call: Stream) => {
        call.on('data', (request: Buffer) => {
          const create = [...readFields([...readFields(request)][0]!.bytes)];
          const from = create.find(({ number }) => number === 3)!.int;
          for (const reply of this.onWatch(from, call.metadata.get('token')[0] as string | undefined)) {
            if (reply === undefined) call.end();
            else call.write(this.#reply(reply));
          }
        });
        call.on('end', () => call.end());
      },
      Range: unary('Range', (request) => this.onRange(request)),
      Txn: unary('Txn', (request) => this.onTxn(request)),
      LeaseGrant: unary('LeaseGrant', () => ({ 2: 4711, 3: 2 })),
      LeaseRevoke: unary('LeaseRevoke', () => ({})),
      Authenticate: unary('Authenticate', () => this.onAuthenticate(this.calls.Authenticate)),
      LeaseKeepAlive: (call: Stream) => {
        call.on('data', (request: Buffer) => {
          this.calls.LeaseKeepAlive += 1;
          const given = this.onKeepAlive([...readFields(request)][0]!.int);
          if (given !== 'silence') call.write(this.#reply(given));
        });
        call.on('end', () => call.end());
      },
    };
  }
}

const definition: ServiceDefinition = Object.fromEntries(
  Object.entries({
    Range: 'KV',
    Txn: 'KV',
    LeaseGrant: 'Lease',
    LeaseRevoke: 'Lease',
    Authenticate: 'Auth',
    LeaseKeepAlive: 'Lease',
    Watch: 'Watch',
  }).map(([method, area]) => {
    const asIs = (message: Buffer): Buffer => message;
    const stream = method === 'LeaseKeepAlive' || method === 'Watch';
    const codecs = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
    return [method, { path: `/etcdserverpb.${area}/${method}`, requestStream: stream, responseStream: stream, ...codecs }];
  }),
);

/** Fields of a KeyValue. */
function keyValue(key: string, value: string, options: { revision?: bigint; lease?: bigint } = {}): Buffer {
  const revision = options.revision ?? 50n;
  return encodeMessage({ 1: key, 2: revision, 3: revision, 4: 1, 5: value, 6: options.lease ?? 0n });
}

function storeOn(fakes: readonly FakeEtcd[], options: Partial<EtcdConfig> = {}): EtcdStore {
  const config = { endpoints: fakes.map(({ url }) => url), prefix: '/holdfast', requestTimeout: 1_000, ...options };
  return new EtcdStore(config, runtime);
}

const refusal = (code: number, details: string): Answer => ({ code, details });
/** Validity looks at the boot clock too, which ticks every 10 ms. */
const bootTickMs = 20;
const unreachable = { code: 'COORD_UNREACHABLE', retryable: true };
const userAndPassword = { username: 'holdfast', password: new Secret({ from: 'environment', name: 'X' }, 'secret') };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await clock.sleep(5);
}

it('accepts no read from the past: of a revision below one that it has seen', async () => {
  await using ahead = await FakeEtcd.start();
  await using behind = await FakeEtcd.start();
  behind.revision = 99n;
  behind.onRange = () => ({ 2: keyValue('/holdfast/kv/a', 'old') });
  await using store = storeOn([ahead, behind]);
  expect(await store.get('a')).toBeUndefined();
  await ahead[Symbol.asyncDispose]();
  await expect(store.get('a')).rejects.toMatchObject({ ...unreachable, message: expect.stringContaining('revision 99') as string });
  behind.revision = 100n;
  expect(await store.get('a')).toMatchObject({ value: 'old' });
});

it('accepts no answer of another cluster, nor one that says not of which', async () => {
  await using one = await FakeEtcd.start();
  await using other = await FakeEtcd.start();
  other.clusterId = 8n;
  await using store = storeOn([one, other]);
  await store.get('a');
  await one[Symbol.asyncDispose]();
  await expect(store.get('a')).rejects.toMatchObject({ ...unreachable, message: expect.stringMatching(/cluster 8, not 7/) as string });
  other.clusterId = 0n;
  await using fresh = storeOn([other]);
  await expect(fresh.get('a')).rejects.toMatchObject(unreachable);
});

it('goes to another member when one answers with nonsense', async () => {
  await using mad = await FakeEtcd.start();
  await using sane = await FakeEtcd.start();
  mad.onRange = () => ({ 2: Buffer.from('ff', 'hex') });
  sane.onRange = () => ({ 2: keyValue('/holdfast/kv/a', 'sane') });
  await using store = storeOn([mad, sane]);
  expect(await store.get('a')).toMatchObject({ value: 'sane' });
});

it('goes to another member when one has no leader, also with a change', async () => {
  await using alone = await FakeEtcd.start();
  await using serving = await FakeEtcd.start();
  alone.onTxn = () => refusal(status.UNAVAILABLE, 'etcdserver: no leader');
  await using store = storeOn([alone, serving]);
  expect(await store.swap('a', 'x', 'absent')).toMatchObject({ swapped: true });
  expect([alone.calls.Txn, serving.calls.Txn]).toEqual([1, 1]);
});

it.each([
  ['etcdserver: request timed out', status.UNAVAILABLE],
  ['etcdserver: leader changed', status.UNAVAILABLE],
  ['anything unexpected', status.UNKNOWN],
])('does not repeat a change that may have been done: %s', async (details, code) => {
  await using one = await FakeEtcd.start();
  await using other = await FakeEtcd.start();
  for (const fake of [one, other]) fake.onTxn = () => refusal(code, details);
  await using store = storeOn([one, other]);
  await expect(store.swap('a', 'x', 'absent')).rejects.toMatchObject(unreachable);
  await expect(store.remove('a', 5n)).rejects.toMatchObject(unreachable);
  expect(one.calls.Txn + other.calls.Txn).toBe(2);
});

it('repeats a read that was not answered, and gives up in time', async () => {
  await using one = await FakeEtcd.start();
  one.onRange = () => (one.calls.Range < 3 ? refusal(status.UNAVAILABLE, 'etcdserver: request timed out') : {});
  await using store = storeOn([one]);
  expect(await store.get('a')).toBeUndefined();
  expect(one.calls.Range).toBe(3);
  one.onRange = () => 'silence';
  await expect(store.get('a')).rejects.toMatchObject(unreachable);
});

it('does not end what else runs on a connection because one answer is slow', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = (request) => ([...readFields(request)][0]!.bytes.toString().endsWith('/slow') ? 'silence' : {});
  fake.onTxn = async () => {
    await clock.sleep(900);
    return { 2: true };
  };
  await using store = storeOn([fake]);
  await store.get('warm');
  const changing = store.swap('a', 'x', 'absent');
  const slow = store.get('slow');
  slow.catch(() => {});
  for (let n = 0; n < 12; n += 1) {
    await store.get('other');
    await clock.sleep(50);
  }
  expect(await changing).toMatchObject({ swapped: true });
  await expect(slow).rejects.toMatchObject(unreachable);
});

it('says what to do when the database of etcd is full', async () => {
  await using full = await FakeEtcd.start();
  full.onTxn = () => refusal(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded');
  await using store = storeOn([full]);
  await expect(store.swap('a', 'x', 'absent')).rejects.toMatchObject({ ...unreachable, hint: expect.stringMatching(/quota/) as string });
  expect(full.calls.Txn).toBe(1);
});

it('fetches a new token when the old one is not accepted any more, once', async () => {
  await using fake = await FakeEtcd.start();
  await using store = storeOn([fake], userAndPassword);
  await store.get('a');
  await store.get('a');
  expect(fake.calls.Authenticate).toBe(1);
  fake.onRange = () => (fake.tokens.at(-1) === 'token-1' ? refusal(status.UNAUTHENTICATED, 'etcdserver: invalid auth token') : {});
  fake.onTxn = () =>
    fake.tokens.at(-1) === 'token-2' ? refusal(status.INVALID_ARGUMENT, 'etcdserver: revision of auth store is old') : { 2: true };
  await Promise.all([store.get('a'), store.get('b'), store.get('c')]);
  expect(fake.calls.Authenticate).toBe(2);
  expect(await store.swap('a', 'x', 'absent'), 'a change that was refused unread').toMatchObject({ swapped: true });
  expect(fake.calls.Authenticate).toBe(3);
});

it('is denied, and soon, when no token is accepted', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = () => refusal(status.UNAUTHENTICATED, 'etcdserver: invalid auth token');
  await using store = storeOn([fake], { ...userAndPassword, requestTimeout: 60_000 });
  await expect(store.get('a')).rejects.toMatchObject({ code: 'COORD_DENIED', retryable: false });
  expect(fake.calls.Range).toBeLessThan(5);
});

it.each([
  ['a wrong password', status.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password', /username and password/],
  ['a missing role', status.PERMISSION_DENIED, 'etcdserver: permission denied', /role/],
])('is denied for %s', async (_, code, details, hint) => {
  await using fake = await FakeEtcd.start();
  fake.onAuthenticate = () => refusal(code, details);
  await using store = storeOn([fake], { ...userAndPassword, requestTimeout: 60_000 });
  await expect(store.get('a')).rejects.toMatchObject({ code: 'COORD_DENIED', hint: expect.stringMatching(hint) as string });
  await expect(store.watch('a', { signal: new AbortController().signal }).next()).rejects.toMatchObject({ code: 'COORD_DENIED' });
});

it('needs no token where etcd has no authentication', async () => {
  await using fake = await FakeEtcd.start();
  fake.onAuthenticate = () => refusal(status.FAILED_PRECONDITION, 'etcdserver: authentication is not enabled');
  await using store = storeOn([fake], userAndPassword);
  await store.get('a');
  expect(fake.tokens.at(-1)).toBeUndefined();
});

it('does not believe the renewal of a lease whose key is gone (etcd issue 20547)', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = () => ({ 2: keyValue('the session key', '{}', { lease: 4711n }) });
  await using store = storeOn([fake]);
  const session = await store.openSession({ ttlMs: 2_000, name: 'holder' });
  fake.onRange = () => ({});
  await until(() => session.signal.aborted);
  expect(fake.calls.LeaseKeepAlive).toBe(1);
  expect(session.signal.reason).toMatchObject({ code: 'COORD_SESSION_LOST', message: expect.stringMatching(/ended/) as string });
});

it('does not count a renewal by a leader that was deposed meanwhile', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = () => ({ 2: keyValue('the session key', '{}', { lease: 4711n }) });
  // The term moves on between each renewal and the read after it.
  fake.onKeepAlive = (leaseId) => {
    queueMicrotask(() => (fake.term += 1n));
    return { 2: leaseId, 3: 2 };
  };
  await using store = storeOn([fake]);
  const session = await store.openSession({ ttlMs: 2_000, name: 'holder' });
  const validUntilMs = session.validUntilMs;
  await until(() => fake.calls.LeaseKeepAlive >= 3);
  expect(session.validUntilMs).toBeLessThan(validUntilMs + bootTickMs);
  expect(session.state).toBe('suspended');
  fake.onKeepAlive = (leaseId) => ({ 2: leaseId, 3: 2 });
  await until(() => session.state === 'live');
  expect(session.validUntilMs).toBeGreaterThan(validUntilMs);
});

it('does not take "no such lease" for the end while the session key is there', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = () => ({ 2: keyValue('the session key', '{}', { lease: 4711n }) });
  fake.onKeepAlive = (leaseId) => ({ 2: leaseId });
  await using store = storeOn([fake]);
  const session = await store.openSession({ ttlMs: 2_000, name: 'holder' });
  await until(() => fake.calls.LeaseKeepAlive >= 2);
  expect(session.state).toBe('suspended');
  expect(session.signal.aborted).toBe(false);
});

it('counts a renewal from when it was sent, however late the answer', async () => {
  await using fake = await FakeEtcd.start();
  const key = { 2: keyValue('the session key', '{}', { lease: 4711n }) };
  fake.onRange = () => key;
  await using store = storeOn([fake]);
  const session = await store.openSession({ ttlMs: 2_000, name: 'holder' });
  expect(session.ttlMs).toBe(2_000);
  let renewedMs = 0;
  fake.onKeepAlive = (leaseId) => {
    renewedMs = clock.monotonicMs();
    return { 2: leaseId, 3: 2 };
  };
  const before = session.validUntilMs;
  await until(() => session.validUntilMs > before + bootTickMs);
  expect(session.validUntilMs).toBeLessThanOrEqual(renewedMs + 1_700 + bootTickMs);
});

it('shares one stream of renewals, on which a swallowed one does not count for the next', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = () => ({ 2: keyValue('the session key', '{}', { lease: 4711n }) });
  fake.onKeepAlive = () => 'silence';
  await using store = storeOn([fake]);
  const session = await store.openSession({ ttlMs: 2_000, name: 'holder' });
  const validUntilMs = session.validUntilMs;
  await until(() => fake.calls.LeaseKeepAlive >= 2);
  expect(session.validUntilMs).toBeLessThan(validUntilMs + bootTickMs);
  expect(session.state).toBe('suspended');
});

it('lists page after page as of one revision, and anew when that is compacted meanwhile', async () => {
  await using fake = await FakeEtcd.start();
  const pages = [[keyValue('/holdfast/kv/a/1', 'one'), keyValue('/holdfast/kv/a/2', 'two')], [keyValue('/holdfast/kv/a/3', 'three')]];
  const asked: { from: string; revision: bigint }[] = [];
  let compactions = 1;
  fake.onRange = (request) => {
    const fields = new Map([...readFields(request)].map((field) => [field.number, field]));
    const [from, revision] = [fields.get(1)!.bytes.toString(), fields.get(4)?.int ?? 0n];
    asked.push({ from, revision });
    if (revision === 0n) return { 2: pages[0]!, 3: true };
    if (compactions > 0) {
      compactions -= 1;
      return refusal(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted');
    }
    return { 2: pages[1]! };
  };
  await using store = storeOn([fake]);
  expect((await store.list('a')).map(({ key, value }) => [key, value])).toEqual([
    ['a/1', 'one'],
    ['a/2', 'two'],
    ['a/3', 'three'],
  ]);
  const [first, next] = [
    { from: '/holdfast/kv/a/', revision: 0n },
    { from: '/holdfast/kv/a/2\0', revision: 100n },
  ];
  expect(asked).toEqual([first, next, first, next]);
  compactions = 1_000;
  await expect(store.list('a')).rejects.toMatchObject(unreachable);
});

it('fails calls that wait when it is disposed of, at once', async () => {
  await using fake = await FakeEtcd.start();
  fake.onRange = () => 'silence';
  const store = storeOn([fake], { requestTimeout: 60_000 });
  const waiting = store.get('a');
  waiting.catch(() => {});
  await until(() => fake.calls.Range > 0);
  await store[Symbol.asyncDispose]();
  await expect(waiting).rejects.toMatchObject({ code: 'COORD_UNREACHABLE' });
});

function change(key: string, revision: bigint): Buffer {
  return encodeMessage({ 1: 0, 2: keyValue(`/holdfast/kv/${key}`, 'x', { revision }) });
}

it('makes a watch anew with a new token before it takes it for denied, and then says so', async () => {
  await using fake = await FakeEtcd.start();
  // What etcd 3.4.23 says of a token that ran out.
  const refused = { 2: -1, 3: true, 4: true, 6: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied' };
  fake.onWatch = (_, token) => (token === 'token-1' ? [refused] : [{ 3: true }, { 11: change('a', 101n) }]);
  await using store = storeOn([fake], userAndPassword);
  const events = store.watch('a', { signal: new AbortController().signal });
  expect((await events.next()).value).toMatchObject({ type: 'snapshot' });
  expect((await events.next()).value).toMatchObject({ type: 'put', entry: { key: 'a', revision: 101n } });
  expect(fake.calls.Authenticate).toBe(2);
  fake.onWatch = () => [refused];
  const denied = store.watch('b', { signal: new AbortController().signal });
  await denied.next();
  await expect(denied.next()).rejects.toMatchObject({ code: 'COORD_DENIED' });
});

it('takes an answer in fragments for one: what of it is lost on the way is all told again', async () => {
  await using fake = await FakeEtcd.start();
  const from: bigint[] = [];
  fake.onWatch = (fromRevision) => {
    from.push(fromRevision);
    if (from.length === 1) return [{ 3: true }, { 7: true, 11: change('a/1', 101n) }, undefined];
    return [{ 3: true }, { 7: true, 11: change('a/1', 101n) }, { 7: true, 11: change('a/2', 101n) }, { 11: change('a/3', 101n) }];
  };
  await using store = storeOn([fake]);
  const events = store.watch('a', { signal: new AbortController().signal });
  await events.next();
  for (const key of ['a/1', 'a/2', 'a/3'])
    expect((await events.next()).value).toMatchObject({ type: 'put', entry: { key, revision: 101n } });
  expect(from).toEqual([101n, 101n]);
});

it('goes on after a loss from what a quiet watch was told last', async () => {
  await using fake = await FakeEtcd.start();
  const from: bigint[] = [];
  fake.onWatch = (fromRevision) => {
    from.push(fromRevision);
    fake.revision = 150n;
    // A progress notification: nothing but the header.
    if (from.length === 1) return [{ 3: true }, {}, undefined];
    return [{ 3: true }, { 11: change('a', 151n) }];
  };
  await using store = storeOn([fake]);
  const events = store.watch('a', { signal: new AbortController().signal });
  await events.next();
  expect((await events.next()).value).toMatchObject({ type: 'put' });
  expect(from).toEqual([101n, 151n]);
});

it('takes its watches along when it leaves a slow member: nobody would notice there that it falls silent', async () => {
  await using slow = await FakeEtcd.start();
  await using other = await FakeEtcd.start();
  slow.onRange = (request) => ([...readFields(request)][0]!.bytes.toString().endsWith('/slow') ? 'silence' : {});
  let watched = false;
  slow.onWatch = () => {
    watched = true;
    return [{ 3: true }];
  };
  other.onWatch = () => [{ 3: true }, { 11: change('a', 151n) }];
  await using store = storeOn([slow, other]);
  const events = store.watch('a', { signal: new AbortController().signal });
  await events.next();
  const put = events.next();
  await until(() => watched);
  const moving = store.get('slow');
  // It lives, as far as anybody can tell.
  for (let n = 0; n < 12; n += 1) {
    await store.get('other');
    await clock.sleep(50);
  }
  await moving;
  expect((await put).value).toMatchObject({ type: 'put' });
  expect(other.calls.Range).toBeGreaterThan(0);
});

it('asks the majority before it calls a session dead, since a read may be stale', async () => {
  await using fake = await FakeEtcd.start();
  await using store = storeOn([fake]);
  const id = '0000000000001267-6f1ad4a8-0000-4000-8000-000000000000';
  fake.onTxn = () => ({});
  expect(await store.isSessionAlive(id)).toBe(true);
  fake.onTxn = () => ({ 2: true });
  expect(await store.isSessionAlive(id)).toBe(false);
  fake.onRange = () => ({ 2: keyValue('the session key', '{}', { lease: 4711n }) });
  expect(await store.isSessionAlive(id)).toBe(true);
});
