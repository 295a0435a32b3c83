import type { Client } from 'pg';
import { cpuSeconds } from '../kit/process-usage.ts';

/** Processor time so far of this process, which keeps the journal, and of the server's processes that send to it; and where WAL is. */
export interface Effort {
  readonly keeperMs: number;
  readonly senderMs: ReadonlyMap<number, number>;
  readonly walBytes: number;
}

export async function readEffort(client: Client): Promise<Effort> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_replication where application_name like 'holdfast journal%'`,
  );
  const senderMs = new Map<number, number>();
  for (const { pid } of rows) senderMs.set(pid, cpuSeconds(pid) * 1_000);
  const { user, system } = process.cpuUsage();
  const wal = await client.query<{ bytes: string }>(`select pg_current_wal_lsn() - '0/0' as bytes`);
  return { keeperMs: (user + system) / 1_000, senderMs, walBytes: Number(wal.rows[0]!.bytes) };
}

/** Between two readings, for each MB of WAL that was written. */
export function effortPerMb(before: Effort, after: Effort): { readonly keeperMsPerMb: number; readonly senderMsPerMb: number } {
  const mb = (after.walBytes - before.walBytes) / 1e6;
  let sentMs = 0;
  for (const [pid, ms] of after.senderMs) sentMs += ms - (before.senderMs.get(pid) ?? 0);
  return { keeperMsPerMb: (after.keeperMs - before.keeperMs) / mb, senderMsPerMb: sentMs / mb };
}
