import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Agents } from './agents.ts';

export const psqlProgram = ['psql', '/usr/lib/postgresql/15/bin/psql'].find((program) => spawnSync(program, ['--version']).status === 0);
if (psqlProgram === undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('psql is absent, and HOLDFAST_REQUIRE=all');

/** The connection string of docs/router.md word for word, but for the members' addresses, user and database. */
async function connectionString(agents: Agents, attributes: string): Promise<string> {
  const page = await readFile(new URL('../../docs/router.md', import.meta.url), 'utf8');
  const documented = /```libpq\n(\S+)\n```/.exec(page)![1]!;
  const hosts = agents.members.map(({ databasePort }) => `127.0.0.1:${databasePort}`).join(',');
  const changed = documented
    .replace(/app@[\d.:,]+\/orders/, `postgres@${hosts}/postgres`)
    .replace('target_session_attrs=read-write', `target_session_attrs=${attributes}`);
  if (!changed.includes(hosts) || !changed.includes(`=${attributes}&`)) throw new Error(`the page has changed: ${documented}`);
  return changed;
}

/** The member that psql reaches with all of them named. @throws what psql says */
export async function reachedByLibpq(agents: Agents, attributes: string): Promise<string> {
  const child = spawn(psqlProgram!, ['-XAtc', 'select inet_server_port()', await connectionString(agents, attributes)], {
    env: { PATH: process.env['PATH'], PGPASSWORD: agents.layout.password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, said] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  const member = agents.members.find(({ databasePort }) => String(databasePort) === out.trim());
  if (code !== 0 || member === undefined) throw new Error(`psql: ${said} ${out}`);
  return member.name;
}
