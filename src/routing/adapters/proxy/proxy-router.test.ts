import { createClock } from '../../../runtime/clock.ts';
import { createRandom } from '../../../runtime/random.ts';
import { silentLogger } from '../../../core/logger.ts';
import { describeRouterContract } from '../../contract.ts';
import { configSchema, type ProxyConfig } from './config.ts';
import { proxy } from './index.ts';

const clock = createClock();
const anyPort = { host: '127.0.0.1', port: 0 };
const runtime = { clock, random: createRandom(), logger: silentLogger };
const defaults: ProxyConfig = configSchema.parse({ write: '127.0.0.1:1', protocol: 'tcp' });

describeRouterContract('the built-in router', {
  clock,
  traits: { countsHeld: true, endsWithRouter: true, cutBy: 'ECONNRESET' },
  open: async ({ holdMs }) => {
    const config = { ...defaults, write: anyPort, read: anyPort, lagMax: 1000, hold: { connections: 3, for: holdMs } };
    const router = await proxy.open('orders', config, runtime);
    const { write, read } = router.status();
    return { router, write: write!, read: read!, settled: () => Promise.resolve() };
  },
});
