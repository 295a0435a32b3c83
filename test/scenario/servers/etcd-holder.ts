// A process of its own that holds a place in a queue and acts as long as it may. Prints one JSON object a line:
// {"held":TOKEN}, {"acts":N} after each act, {"lost":CODE} at the end.
import { configSchema } from '../../../src/coordination/adapters/etcd/config.ts';
import { open } from '../../../src/coordination/adapters/etcd/index.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock, createRandom } from '../../../src/runtime/index.ts';

const [endpoint, queue] = process.argv.slice(2);
const clock = createClock();

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

await using store = await open(configSchema.parse({ endpoints: [endpoint] }), { clock, random: createRandom(), logger: silentLogger });
const session = await store.openSession({ ttlMs: 2_000, name: 'holder' });
const ticket = await store.enqueue(queue!, 'write', session);
say({ held: String(ticket.token) });
try {
  for (let acts = 1; ; acts += 1) {
    session.assertValid();
    say({ acts });
    await clock.sleep(5);
  }
} catch (error) {
  say({ lost: (error as { code?: string }).code });
}
