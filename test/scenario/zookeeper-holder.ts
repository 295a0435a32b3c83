import { writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { configSchema, open } from '../../src/coordination/adapters/zookeeper/index.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';

// Run by a test as a process of its own: holds a place in a queue, and acts every few milliseconds as long as it may. Reads
// {"server", "queue", "ttlMs"} from standard input; says `held KEY`, then `act BOOT_MS` for each act, at last `lost CODE`.

const { server, queue, ttlMs } = JSON.parse(await text(process.stdin)) as { server: string; queue: string; ttlMs: number };
const clock = createClock();
const say = (line: string): void => void writeSync(1, `${line}\n`);

await using store = await open(configSchema.parse({ servers: [server] }), { clock, random: createRandom(), logger: silentLogger }, {});
const session = await store.openSession({ ttlMs, name: 'holder' });
const ticket = await store.enqueue(queue, 'write', session);
say(`held ${ticket.key}`);
try {
  for (;;) {
    session.assertValid();
    say(`act ${clock.bootMs()}`);
    await clock.sleep(2);
  }
} catch (error) {
  say(`lost ${(error as { code?: string }).code} ${session.state}`);
}
