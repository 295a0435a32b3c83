// Beside Patroni: how long nobody can write, what is lost. See --help.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPackage } from '../kit/package.ts';
import type { EventName } from './contender.ts';
import { Holdfast } from './holdfast.ts';
import { formatPhases } from './phases.ts';
import { Race } from './race.ts';

const stop = new AbortController();
process.on('SIGINT', () => stop.abort());
const directory = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
await chmod(directory, 0o711);
try {
  const program = await buildPackage(join(directory, 'package'));
  const holdfast = await Holdfast.start({
    directory: join(directory, 'holdfast'),
    program,
    postgresBin: '/usr/lib/postgresql/15/bin',
    etcdMembers: 3,
  });
  await using race = await Race.start(holdfast, { stallSeconds: 40, signal: stop.signal });
  for (const event of (process.argv[2] ?? 'node-lost').split(',') as EventName[]) {
    const all = [];
    for (let n = 0; n < Number(process.argv[3] ?? 3); n++) {
      const result = await race.repeat(event);
      all.push(result);
      process.stdout.write(`${JSON.stringify({ ...result, trace: undefined })}\n`);
    }
    process.stdout.write(`${formatPhases(all)}\n`);
  }
} finally {
  if (process.env['KEEP'] === undefined) await rm(directory, { recursive: true, force: true });
  else process.stdout.write(`${directory}\n`);
}
