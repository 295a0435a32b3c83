import type { Processes } from '../../core/processes.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const limitMs = 3_000;
/** Safety rests on no wall clock; certificates, logs and points in time to restore do. */
const offsetSecondsMax = 0.5;

/** Whether something keeps this machine's clock right, as chrony or systemd tell. */
export async function inspectClockSync(processes: Processes): Promise<readonly Finding[]> {
  const { ok, warn } = findingsOf('clock');
  const chrony = await output(processes, 'chronyc', ['-n', 'tracking']);
  if (chrony !== undefined) {
    const offset = Number(/^System time\s*:\s*([\d.]+) seconds/m.exec(chrony)?.[1]);
    if (!/^Leap status\s*:\s*Normal/m.test(chrony))
      return [warn('chrony does not follow any time server', 'See chronyc sources; name servers in chrony.conf.')];
    if (offset > offsetSecondsMax)
      return [warn(`the clock is ${offset} s off, says chrony`, 'Wait until it is corrected, or run chronyc makestep.')];
    return [ok(`kept by chrony, ${offset} s off`)];
  }
  const systemd = await output(processes, 'timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  if (systemd?.trim() === 'yes') return [ok('kept, says systemd')];
  if (systemd?.trim() === 'no')
    return [warn('the clock follows no time server, says systemd', 'Run timedatectl set-ntp true, or install chrony.')];
  return [
    warn('neither chrony nor systemd can tell whether this clock is kept right', 'Install chrony; in a container, look at its host.'),
  ];
}

/** Standard output of a program that ended well; undefined when there is no such program, or it failed. */
async function output(processes: Processes, program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { code, stdout } = await processes.run(program, args, { timeoutMs: limitMs });
    return code === 0 ? stdout : undefined;
  } catch {
    return undefined;
  }
}
