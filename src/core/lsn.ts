/** `'16/B374D848'` → bytes of WAL since its beginning (PostgreSQL manual, type pg_lsn). */
export function parseLsn(text: string): bigint {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) throw new RangeError(`'${text}' is not an LSN`);
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** The inverse of `parseLsn`. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

/** File name of the segment of a timeline that holds the byte at `lsn` (XLogFileName of xlog_internal.h). */
export function segmentName(timeline: number, lsn: bigint, segmentBytes: bigint): string {
  const number = lsn / segmentBytes;
  const perId = 0x1_0000_0000n / segmentBytes;
  return [BigInt(timeline), number / perId, number % perId].map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
}

/** Timeline and first LSN of a segment file; undefined when the name is not one. */
export function parseSegmentName(name: string, segmentBytes: bigint): { timeline: number; lsn: bigint } | undefined {
  const [, timeline, id, segment] = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name) ?? [];
  if (timeline === undefined || id === undefined || segment === undefined) return undefined;
  return { timeline: Number.parseInt(timeline, 16), lsn: (BigInt(`0x${id}`) << 32n) + BigInt(`0x${segment}`) * segmentBytes };
}
