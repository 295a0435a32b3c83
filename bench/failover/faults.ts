import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProcesses } from '../../src/runtime/index.ts';
import type { Contender, RaceNode } from './contender.ts';

/** What was started between two looks at the processes. */
const SWEEPS = 3;

const processes = createProcesses();

/** SIGKILL to everything at once, as when the machine is gone. @returns `performance.now()` of the first kill */
export async function killNode(contender: Contender, node: RaceNode): Promise<number> {
  const agents = await contender.agentPids(node.name);
  return await killAll(agents, node);
}

/** SIGKILL to the postmaster and all that it started; the agent lives. @returns `performance.now()` of the first kill */
export async function killDatabase(node: RaceNode): Promise<number> {
  return await killAll([], node);
}

/** Stops an agent where it stands, the database goes on; until it is disposed of. */
export async function stopAgent(contender: Contender, node: RaceNode): Promise<{ atMs: number } & Disposable> {
  // The guard is a process of its own so that it goes on when the agent does not.
  const [agent] = await contender.agentPids(node.name);
  const atMs = performance.now();
  process.kill(agent!, 'SIGSTOP');
  return { atMs, [Symbol.dispose]: () => void signal(agent!, 'SIGCONT') };
}

async function killAll(agents: readonly number[], node: RaceNode): Promise<number> {
  const database = processes.withWorkingDirectory(node.dataDirectory).map(({ pid }) => pid);
  if (database.length === 0) throw new Error(`no database runs in ${node.dataDirectory}`);
  // The postmaster before its children: without it nothing new is started.
  const postmaster = Number.parseInt(readFileSync(join(node.dataDirectory, 'postmaster.pid'), 'utf8'), 10);
  const atMs = performance.now();
  for (const pid of [...agents, ...database.toSorted((a, b) => Number(b === postmaster) - Number(a === postmaster))])
    signal(pid, 'SIGKILL');
  for (let sweep = 0; agents.length > 0 && sweep < SWEEPS; sweep++) {
    await sleep(1);
    for (const { pid } of processes.withWorkingDirectory(node.dataDirectory)) signal(pid, 'SIGKILL');
  }
  return atMs;
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
