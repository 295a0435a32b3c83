import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Agents } from './agents.ts';
import { temporaryDirectory, expectNothingLeft } from './demo-process.ts';

/** Writes a line `begin NODE` when it starts, `beat NODE` ten times a second, `end NODE` when told to stop. */
const program = `
const { appendFileSync } = require('node:fs');
const [file, node] = process.argv.slice(1);
const say = (what) => appendFileSync(file, what + ' ' + node + '\\n');
say('begin');
setInterval(() => say('beat'), 100);
process.on('SIGTERM', () => { say('end'); process.exit(0); });
`;

/** At no moment two at work: between beats of one node and those of another the first has ended or was killed. */
function turns(text: string): string[] {
  const order: string[] = [];
  for (const line of text.trim().split('\n')) {
    const [what, node] = line.split(' ');
    if (what === 'beat' && order.at(-1) !== node) order.push(node!);
  }
  return order;
}

test('a process service runs on one node at a time: it moves on switchover, restarts when it dies, and is taken over when its node is gone', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'work.log');
  {
    await using agents = await Agents.start({
      directory: directory.path,
      configure(config, node) {
        if (node.databasePort === undefined) config.services = {};
        else config.services = { worker: { process: { command: [process.execPath, '-e', program, file, node.name], user: 'root' } } };
      },
    });
    const by = 'node1';
    const first = await agents.until('somebody leads', (service) => service.leader !== null, { by });
    await expect.poll(() => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 }).toContain(`beat ${first.leader}`);

    const client = agents.client(by);
    const successor = agents.members.map((node) => node.name).find((name) => name !== first.leader)!;
    await client.switchover('worker', { to: successor }, {});
    await agents.until('the successor leads', (service) => service.leader === successor, { by });
    await expect.poll(() => readFile(file, 'utf8'), { timeout: 20_000 }).toContain(`beat ${successor}`);

    // It dies: the same node starts it again, at a higher term.
    const before = await agents.until('running', (service) => service.leader === successor, { by });
    process.kill(agents.member(before, successor).pids.database!, 'SIGKILL');
    await agents.until('started again', (service) => service.leader !== null && service.term > before.term, { by });

    // Its node is gone, guard and all: another takes over when the lease has ended.
    const running = await agents.until('running', (service) => service.leader !== null, { by });
    const lost = running.leader!;
    const pids = agents.member(running, lost).pids;
    for (const pid of [pids.agent, pids.guard, pids.database]) process.kill(pid!, 'SIGKILL');
    const survivor = agents.members.map((node) => node.name).find((name) => name !== lost)!;
    const after = await agents.until('another leads', (service) => service.leader !== null && service.leader !== lost, { by: survivor });
    await expect.poll(() => readFile(file, 'utf8').then((text) => turns(text).at(-1)), { timeout: 20_000 }).toBe(after.leader);
    await sleep(1_000);

    // Beats never interleave: each node worked in one stretch per leadership.
    const order = turns(await readFile(file, 'utf8'));
    expect(order).toEqual([first.leader, successor, after.leader]);
  }
  await expectNothingLeft(directory.path);
});
