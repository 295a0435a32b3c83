// Times as Go's time.Time marshals them: RFC 3339, nanoseconds without trailing zeros, `Z` for UTC.

const nanoseconds = 1_000_000_000;
const nsPerSecond = BigInt(nanoseconds);
const nsPerMs = 1_000_000n;
const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))$/;
/** Four digits hold no other years: what lies outside is moved to the nearest second that fits. */
const firstSecond = Date.parse('0000-01-01T00:00:00Z') / 1000;
const lastSecond = Date.parse('9999-12-31T23:59:59Z') / 1000;

/** @param ns nanoseconds since 1970-01-01 UTC, as fs.BigIntStats has them; may be negative */
export function timeFromNs(ns: bigint): string {
  let rest = Number(ns % nsPerSecond);
  if (rest < 0) rest += nanoseconds;
  const second = Number((ns - BigInt(rest)) / nsPerSecond);
  const whole = wholeOf(Math.min(Math.max(second, firstSecond), lastSecond));
  if (rest === 0) return `${whole}Z`;
  let digits = 9;
  for (; rest % 10 === 0; rest /= 10) digits -= 1;
  return `${whole}.${String(rest).padStart(digits, '0')}Z`;
}

/** Files that lie beside each other were often written in the same second. */
let last = { second: 0, text: '1970-01-01T00:00:00' };

function wholeOf(second: number): string {
  if (last.second !== second) last = { second, text: new Date(second * 1000).toISOString().slice(0, 19) };
  return last.text;
}

/** @param ms milliseconds since 1970-01-01 UTC */
export function timeFromMs(ms: number): string {
  return timeFromNs(BigInt(Math.round(ms * 1000)) * 1000n);
}

/** Nanoseconds since 1970-01-01 UTC. @throws SyntaxError */
export function timeToNs(text: string): bigint {
  const match = form.exec(text);
  if (!match) throw new SyntaxError(`not a time: ${JSON.stringify(text.slice(0, 64))}`);
  const [, year, month, day, hour, minute, second, fraction, sign, zoneHours, zoneMinutes] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) throw new SyntaxError(`not a time: ${text}`);
  const offsetMs = (Number(zoneHours ?? 0) * 60 + Number(zoneMinutes ?? 0)) * 60_000 * (sign === '-' ? -1 : 1);
  return BigInt(ms - offsetMs) * nsPerMs + BigInt((fraction ?? '').padEnd(9, '0'));
}

/** Milliseconds since 1970-01-01 UTC, fractional. @throws SyntaxError */
export function timeToMs(text: string): number {
  const ns = timeToNs(text);
  return Number(ns / nsPerMs) + Number(ns % nsPerMs) / 1e6;
}
