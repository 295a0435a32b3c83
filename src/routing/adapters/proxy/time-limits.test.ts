import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../../core/logger.ts';
import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { SimulatedTime } from '../../../sim/clock.ts';
import { eventually, TestClient, TestMember } from '../../contract/tcp.ts';
import type { Router, RouteView, Target } from '../../router.ts';
import { configSchema } from './config.ts';
import { proxy } from './index.ts';
import { sslRequest } from './test-wire.ts';

// Real connections, but a clock that is moved by hand: nothing here waits for seconds.

const clock = createClock();
let time: SimulatedTime;
let resources: AsyncDisposableStack;
beforeEach(() => {
  time = new SimulatedTime();
  resources = new AsyncDisposableStack();
});
afterEach(() => resources.disposeAsync());

async function open(protocol: 'postgres' | 'tcp'): Promise<Router> {
  const anyPort = { host: '127.0.0.1', port: 0 };
  const config = { ...configSchema.parse({ write: '127.0.0.1:1', protocol }), write: anyPort, read: anyPort };
  return resources.use(await proxy.open('orders', config, { clock: time.clock(), random: createRandom(), logger: silentLogger }));
}

const connect = async (router: Router, port: 'write' | 'read' = 'write'): Promise<TestClient> =>
  resources.use(await TestClient.connect(router.status()[port]!));
const member = async (node: string): Promise<TestMember> => resources.use(await TestMember.start(node));
const until = (condition: () => boolean, what: string): Promise<void> => eventually(clock, condition, what);
const target = ({ node, host, port }: TestMember): Target => ({ node, host, port });
const view = (term: number, leader: TestMember, replicas: readonly TestMember[]): RouteView => ({
  term,
  leader: target(leader),
  replicas: replicas.map((each) => ({ ...target(each), lagBytes: 0 })),
});

it('a client has ten seconds to say what it wants, and to read that it was too slow', async () => {
  const router = await open('postgres');
  const silent = await connect(router);
  const slow = await connect(router);
  slow.say(sslRequest.subarray(0, 5));
  await clock.sleep(30);
  await time.advance(9_999);
  expect([silent.ending, slow.ending]).toEqual([undefined, undefined]);
  await time.advance(1);
  await until(() => silent.ending !== undefined && slow.ending !== undefined, 'both are sent away');
  expect(silent.text).toContain('no start-up message within 10 s');
  // They do not close their side: the router does not wait for them.
  await time.advance(1_000);
  await router[Symbol.asyncDispose]();
  expect(router.status().refusedTotal).toBe(2);
});

it('readers of a server that is in no view for five seconds are cut, others stay', async () => {
  const [a, b, c] = [await member('a'), await member('b'), await member('c')];
  const router = await open('tcp');
  router.publish(view(1, a, [b, c]));
  const readers = [await connect(router, 'read'), await connect(router, 'read')];
  for (const reader of readers) await until(() => reader.text !== '', 'a reader is served');
  const ofB = readers.find((reader) => reader.text === 'b\n')!;
  const ofC = readers.find((reader) => reader.text === 'c\n')!;
  router.publish(view(1, a, [c]));
  await time.advance(4_999);
  // Without a leader nobody knows who is healthy.
  router.publish({ term: 1, leader: undefined, replicas: [] });
  expect(ofB.ending).toBeUndefined();
  await time.advance(1);
  await until(() => ofB.ending !== undefined, 'the reader of the absent server is cut');
  await time.advance(60_000);
  await clock.sleep(20);
  expect(ofC.ending).toBeUndefined();
  expect(router.status().cutTotal).toBe(1);
});

it('a server has ten seconds for its first answer, then another attempt is made', async () => {
  const mute = resources.use(await TestMember.start('a', (socket) => void socket.resume().on('end', () => socket.end())));
  const router = await open('postgres');
  router.publish(view(1, mute, []));
  const client = await connect(router);
  client.say(sslRequest);
  await until(() => mute.accepted === 1, 'the server is asked');
  await clock.sleep(30);
  await time.advance(10_000);
  await until(() => mute.sockets.size === 0, 'the attempt is given up');
  await time.advance(20);
  await until(() => mute.accepted === 2, 'it is asked again');
  await time.advance(20_000);
  await until(() => client.ending !== undefined || client.text === 'N', 'the hold is over');
  expect(client.text).toBe('N');
});
