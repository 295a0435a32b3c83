import { readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { formatSizeBytes } from '../../core/units.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const nodeMajorNeeded = 24;
/** An agent takes up to 80 MB, and a database wants its page cache. */
const memoryBytesLow = 512 * 1024 * 1024;
const memoryBytesLeast = 128 * 1024 * 1024;

/** Node.js, kernel, memory, limits, cgroup and watchdog of this machine. @param filesNeeded file descriptors that the agent may need */
export function inspectMachine(filesNeeded: number): readonly Finding[] {
  return [node(), kernel(), ...memory(), openFiles(filesNeeded), ...cgroup(), watchdog()];
}

function node(): Finding {
  const { ok, fail } = findingsOf('node');
  const { node: version } = process.versions;
  if (Number.parseInt(version, 10) >= nodeMajorNeeded) return ok(`Node.js ${version}`);
  return fail(`Node.js ${version} is too old`, `Install Node.js ${nodeMajorNeeded} or newer.`);
}

function kernel(): Finding {
  const { ok, warn } = findingsOf('kernel');
  if (process.platform === 'linux') return ok(`Linux ${release()}`);
  return warn(`${process.platform} ${release()}`, 'Run services on Linux; elsewhere Holdfast is for development only.');
}

function memory(): readonly Finding[] {
  const { ok, warn, fail } = findingsOf('memory');
  const values = parseKiB(read('/proc/meminfo') ?? '');
  const available = values.get('MemAvailable');
  if (available === undefined) return [];
  const text = `${formatSizeBytes(available)} of ${formatSizeBytes(values.get('MemTotal') ?? 0)} memory available`;
  const findings = [
    available < memoryBytesLeast
      ? fail(text, 'Free memory: the kernel is about to kill processes.')
      : available < memoryBytesLow
        ? warn(text, 'Free memory, or give the machine more.')
        : ok(text),
  ];
  const swapTotal = values.get('SwapTotal') ?? 0;
  const swapUsed = swapTotal - (values.get('SwapFree') ?? 0);
  // A swapped agent stalls for seconds, and is then rightly taken for dead.
  if (swapTotal > 0 && swapUsed > swapTotal / 10) {
    findings.push(
      warn(
        `${formatSizeBytes(swapUsed)} of ${formatSizeBytes(swapTotal)} swap in use`,
        'Add memory or lower vm.swappiness: a swapped agent or database stalls, and stalls look like death.',
      ),
    );
  } else findings.push(ok(swapTotal === 0 ? 'no swap' : 'swap hardly used'));
  return findings;
}

function openFiles(needed: number): Finding {
  const { ok, warn } = findingsOf('limits');
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(read('/proc/self/limits') ?? '')?.[1];
  if (soft === undefined) return warn('the limit of open files can not be read', '');
  if (soft === 'unlimited' || Number(soft) >= needed) return ok(`up to ${soft} open files; ${needed} may be needed`);
  return warn(
    `up to ${soft} open files, but the routers' connections may need ${needed}`,
    `Set LimitNOFILE=${needed} in the unit of the agent (ulimit -n), or lower maxConnections of the routers.`,
  );
}

function cgroup(): readonly Finding[] {
  const { ok, warn } = findingsOf('cgroup');
  const path = /^0::(.+)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1];
  const folder = path === undefined ? undefined : join('/sys/fs/cgroup', path);
  if (folder === undefined || !exists(join(folder, 'cgroup.procs'))) return [ok('no cgroup v2: processes are ended one by one')];
  const findings: Finding[] = [ok(exists(join(folder, 'cgroup.kill')) ? 'cgroup v2 with cgroup.kill' : 'cgroup v2')];
  const [quota, period] = (read(join(folder, 'cpu.max')) ?? 'max').trim().split(' ').map(Number);
  if (quota !== undefined && period !== undefined && quota < period) {
    findings.push(
      warn(`only ${(quota / period).toFixed(2)} of a CPU is allowed`, 'Allow at least one CPU: a throttled agent misses heartbeats.'),
    );
  }
  const limit = Number((read(join(folder, 'memory.max')) ?? 'max').trim());
  if (limit < memoryBytesLow)
    findings.push(warn(`only ${formatSizeBytes(limit)} memory is allowed`, `Allow at least ${formatSizeBytes(memoryBytesLow)}.`));
  return findings;
}

function watchdog(): Finding {
  const { ok } = findingsOf('watchdog');
  return ok(
    exists('/dev/watchdog')
      ? 'there is a watchdog device'
      : 'no watchdog device: a node that stalls as a whole is stopped by the guard as soon as it runs again',
  );
}

/** Lines `Name:  123 kB` as bytes. */
function parseKiB(text: string): Map<string, number> {
  return new Map([...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map((match) => [match[1]!, Number(match[2]) * 1024]));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
