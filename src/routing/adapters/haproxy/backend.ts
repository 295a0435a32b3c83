import { HoldfastError } from '../../../core/errors.ts';
import type { RuntimeSocket } from './runtime-socket.ts';

/** One server of a backend as HAProxy has it now. */
export interface ServerSlot {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** It takes no connections at all. */
  readonly inMaintenance: boolean;
  /** It takes no new ones. */
  readonly drains: boolean;
  readonly sessions: number;
}

/** Bits of `srv_admin_state` (HAProxy's management guide, "show servers state"; SRV_ADMF_… in its sources). */
const forcedDrain = 0x08;
/** Maintenance by name resolution, or inherited. */
const anyMaintenance = 0x01 | 0x02 | 0x04 | 0x20;

/** Reads a backend's servers. @throws ROUTER_PROGRAM_UNFIT when there is no such backend, besides what the socket throws */
export async function readBackend(socket: RuntimeSocket, backend: string, signal: AbortSignal): Promise<ServerSlot[]> {
  const states = tableOf(await socket.ask([`show servers state ${backend}`], signal), / /);
  if (states.length === 0) {
    throw new HoldfastError('ROUTER_PROGRAM_UNFIT', `HAProxy has no backend '${backend}' with servers`, {
      retryable: true,
      hint: 'Add it to haproxy.cfg as docs/router.md shows it and reload HAProxy, or correct its name in holdfast.yaml.',
    });
  }
  const statistics = tableOf(await socket.ask([`show stat ${backend} 4 -1`], signal), /,/);
  const sessions = new Map(statistics.map((row) => [row['svname'], Number(row['scur'])]));
  return states.map((row) => {
    const admin = Number(row['srv_admin_state']);
    return {
      name: row['srv_name']!,
      host: row['srv_addr']!,
      port: Number(row['srv_port']),
      inMaintenance: (admin & anyMaintenance) !== 0,
      drains: (admin & forcedDrain) !== 0,
      sessions: sessions.get(row['srv_name']) ?? 0,
    };
  });
}

/** Rows of a table whose line of headings begins with `#`. */
function tableOf(text: string, separator: RegExp): Record<string, string>[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const head = lines.findIndex((line) => line.startsWith('# '));
  if (head < 0) return [];
  const names = lines[head]!.slice(2).split(separator);
  return lines
    .slice(head + 1)
    .map((line) => line.split(separator))
    .filter((cells) => cells.length >= names.length - 1)
    .map((cells) => Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])));
}
