// An agent of its own that copies or rejoins one member, for tests that kill it on the way. Says `go` when it begins.
import { text } from 'node:stream/consumers';
import { configSchema, open } from '../../../src/engine/adapters/postgres/index.ts';
import { createRuntime } from '../../../src/runtime/index.ts';
import { account } from './account.ts';

interface Order {
  data: string;
  stateDir: string;
  port: number;
  bin: string | null;
  node: string;
  upstream: { node: string; host: string; port: number };
}

const order = JSON.parse(await text(process.stdin)) as Order;
const config = configSchema.parse({
  data: order.data,
  listen: `127.0.0.1:${order.port}`,
  ...(order.bin === null ? {} : { bin: order.bin }),
  parameters: { shared_buffers: '16MB' },
});
await using runtime = createRuntime({ log: { level: 'error' } });
const engine = await open(config, { cluster: 'test', service: 'orders', node: order.node, stateDir: order.stateDir, account }, runtime);
process.stdout.write('go\n');
const { signal } = new AbortController();
const state = await engine.inspect({ signal });
await (state.data === 'absent' ? engine.provision(order.upstream, { signal }) : engine.rejoin(order.upstream, { signal }));
await engine[Symbol.asyncDispose]();
