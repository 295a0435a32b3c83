import { queryTimeoutMs } from './sessions.ts';
import { ServerError, type ReplicationConnection } from './replication-connection.ts';
import { slotName } from './slot-name.ts';

/** So that the upstream keeps the WAL that this member needs from now on. One that is there keeps what it kept. */
export async function ensureSlot(connection: ReplicationConnection, node: string, signal: AbortSignal): Promise<void> {
  await connection
    .query(`CREATE_REPLICATION_SLOT ${slotName(node)} PHYSICAL RESERVE_WAL`, { timeoutMs: queryTimeoutMs, signal })
    .catch(unless('42710'));
}

/** For a member that begins anew: whatever its slot kept, or lost, is of no use. */
export async function renewSlot(connection: ReplicationConnection, node: string, signal: AbortSignal): Promise<void> {
  await connection.query(`DROP_REPLICATION_SLOT ${slotName(node)}`, { timeoutMs: queryTimeoutMs, signal }).catch(unless('42704', '55006'));
  await ensureSlot(connection, node, signal);
}

function unless(...states: string[]): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof ServerError && states.includes(error.code))) throw error;
  };
}
