// A program with many contenders for one lock, each of which acts once on the fenced counter.
//     node lock-holder.ts STORE COUNTER LOG CONTENDERS
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { acquireLock } from '../../src/coordination/lock.ts';
import { openStore } from '../../src/coordination/registry.ts';
import { createRuntime } from '../../src/runtime/index.ts';

const [store = '', counter = '', log = '', contenders = '1'] = process.argv.slice(2);
const act = fileURLToPath(new URL('fenced-counter.sh', import.meta.url));
await using runtime = createRuntime();
await using opened = await openStore({ embedded: store }, runtime);
await Promise.all(
  Array.from({ length: Number(contenders) }, async () => {
    await using hold = await acquireLock(opened, 'demo', runtime);
    hold.assertValid();
    execFileSync('bash', [act, counter, log], { env: { ...process.env, HOLDFAST_TOKEN: String(hold.token) }, timeout: 10_000 });
  }),
);
