// The built-in router in a process of its own, in front of one server: `proxy-process.ts LISTEN_PORT SERVER_PORT`. Ends with its standard input.
import { routerSchema } from '../../src/routing/config.ts';
import { openRouter } from '../../src/routing/registry.ts';
import { createRuntime } from '../../src/runtime/index.ts';

const [listen, server] = process.argv.slice(2).map(Number);
await using runtime = createRuntime({ log: { level: 'warn' } });
await using router = await openRouter(
  { name: 'bench', protocol: 'postgres' },
  routerSchema.parse({ write: `127.0.0.1:${listen}` }),
  runtime,
);
router.publish({ term: 1, leader: { node: 'node1', host: '127.0.0.1', port: server! }, replicas: [] });
process.stdout.write('ready\n');
process.stdin.resume();
await new Promise((resolve) => process.stdin.once('close', resolve));
