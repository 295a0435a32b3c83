import type { Ack } from './row-client.ts';

/** What happened while a primary's agent stood still, seen by a client of the new one and one that stayed with the old one. */
export interface TwoPrimaries {
  /** From the first row that another took to the last that the old one took while the other went on; 0: it took none by then. */
  readonly overlapMs: number;
  /** Rows that the old one took after another had taken its first. */
  readonly ackedByOld: number;
  /** Of all rows that the old one acknowledged to the direct client. */
  readonly lostOfOld: number;
  /** From the stop of the agent to the last row that the old one took, before or beside another. */
  readonly oldWroteForMs: number;
}

/**
 * What the old one took while another did. (It may lead again later, which is no overlap.)
 * @param routed acknowledgements since the stop of the client that follows the leader, and `direct` of the one that stays; in order of time
 */
export function overlap(
  routed: readonly Ack[],
  direct: readonly Ack[],
  stoppedMs: number,
  oldServer: number,
): Omit<TwoPrimaries, 'lostOfOld'> {
  const another = routed.filter((ack) => ack.server !== oldServer);
  const [fromMs, toMs] = [another[0]?.atMs ?? Infinity, another.at(-1)?.atMs ?? -Infinity];
  const old = [...routed.filter((ack) => ack.server === oldServer), ...direct].filter((ack) => ack.atMs < toMs);
  const lastMs = Math.max(stoppedMs, ...old.map((ack) => ack.atMs));
  return {
    overlapMs: Math.max(0, lastMs - fromMs),
    ackedByOld: old.filter((ack) => ack.atMs > fromMs).length,
    oldWroteForMs: lastMs - stoppedMs,
  };
}
