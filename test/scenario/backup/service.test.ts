import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createRuntime } from '../../../src/runtime/index.ts';
import { Agents, query } from '../agents.ts';
import { killProcessesOf, temporaryDirectory } from '../demo-process.ts';
import { startRestored } from './restored.ts';

const program = new URL('../../../bin/holdfast.mjs', import.meta.url).pathname;

/** Runs `holdfast restore`; what it prints as JSON. */
function restore(configFile: string, ...args: string[]): { status: number | null; document: Record<string, unknown> } {
  const { status, stdout } = spawnSync(process.execPath, [program, 'restore', 'orders', '--config', configFile, '--json', ...args], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, document: JSON.parse(stdout === '' ? '{}' : stdout) as Record<string, unknown> };
}

test(
  'every node and one of two locations are lost: the service comes back from the other one, to the second',
  { timeout: 300_000 },
  async () => {
    await using runtime = createRuntime({ log: { level: 'error' } });
    await using directory = await temporaryDirectory();
    const disks = ['disk1', 'disk2'].map((name) => join(directory.path, name));
    for (const disk of disks) await mkdir(disk);
    const password = join(directory.path, 'copies.password');
    await writeFile(password, randomBytes(24).toString('base64'), { mode: 0o600 });
    // Nothing of it is ended gently.
    await using everything = { [Symbol.asyncDispose]: () => killProcessesOf(directory.path) };
    const agents = await Agents.start({
      directory: join(directory.path, 'cluster'),
      configure: (config) => {
        if (config.services['orders']!['postgres'] === undefined) return;
        config.services['orders']!['backup'] = { to: 'offsite', schedule: '0 3 * * *', journal: '500ms' };
        config['locations'] = {
          disk1: { path: disks[0] },
          disk2: { path: disks[1] },
          offsite: { mirror: ['disk1', 'disk2'], password: `file:${password}` },
        };
      },
    });
    const { leader } = await agents.whole();
    await query(agents.write, 'create table note (text text primary key)');
    const note = (text: string) => query(agents.write, 'insert into note values ($1)', [text]);
    await note('first');
    // By itself: the schedule is for later, but there is none yet.
    const { copies } = await agents.until('a base backup', (service) => service.copies?.last !== undefined);
    expect((await readdir(join(disks[0]!, 'snapshots'))).length).toBeGreaterThan(0);
    expect(copies).toMatchObject({ node: leader, location: 'offsite', journal: { state: 'running', gaps: 0 }, alarms: [] });
    expect(copies?.parts.map(({ name, state }) => `${name} ${state}`)).toEqual(['offsite ok', 'offsite/disk1 ok', 'offsite/disk2 ok']);
    expect(copies?.journal?.lagMs).toBeLessThan(30_000);
    await note('before the failover');
    await agents.signal(leader!, 'SIGSTOP');
    await agents.until('another leader', (service) => service.leader !== null && service.leader !== leader);
    await agents.until(
      'its care for the copies',
      (service) => service.copies?.node === service.leader && service.copies?.last !== undefined,
    );
    await note('third');
    await sleep(1_200);
    const to = new Date();
    await sleep(1_200);
    await note('fourth');
    await sleep(2_000);

    await everything[Symbol.asyncDispose]();
    await agents.abandon();
    const { configFile } = agents.members[0]!;
    for (const node of agents.members) await rm(join(dirname(node.configFile), 'data'), { recursive: true, force: true });
    await rm(disks[0]!, { recursive: true });

    const target = join(directory.path, 'restored');
    const tooLate = restore(configFile, '--to', new Date(Date.now() + 3_600_000).toISOString(), '--target', target);
    const hint = expect.stringContaining('Within reach');
    expect(tooLate).toMatchObject({ status: 1, document: { error: { code: 'BACKUP_TARGET_UNREACHABLE', hint } } });
    const atSecond = restore(configFile, '--to', to.toISOString(), '--target', target);
    expect(atSecond).toMatchObject({ status: 0, document: { verified: true, directory: target } });
    expect(await notesIn(target)).toEqual(['before the failover', 'first', 'third']);
    expect(restore(configFile, '--target', target).status).toBe(1);
    const latest = restore(configFile, '--target', target, '--overwrite');
    expect(latest).toMatchObject({ status: 0, document: { verified: true } });
    expect(Number(latest.document['keptBytes'])).toBeGreaterThan(Number(latest.document['writtenBytes']));
    expect(await notesIn(target)).toEqual(['before the failover', 'first', 'fourth', 'third']);

    async function notesIn(data: string): Promise<string[]> {
      await using restored = await startRestored(data, agents.layout.password, runtime);
      const { rows } = await restored.client.query<{ text: string }>('select text from note order by text');
      return rows.map(({ text }) => text);
    }
  },
);
