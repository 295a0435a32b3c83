import { parseHours, parseSize, quantity } from '../file/quantities.ts';

// Prices and flows of a file of needs. Money is a plain number in the file's one currency.

const yearHours = 8760;
const notNegative = (value: number): boolean => value >= 0 && value < Infinity;
const plain = /^(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** `70/month`, `0.192/h`, `900/year`. In money per year of 365 days; a month is a twelfth of it. */
export function price() {
  return quantity('price', 'a price per time, such as 70/month, 0.2/h or 900/year', parsePrice, (value) => `${value}/year`, notNegative);
}

/** `2000/h`: what an hour of something costs. In money per hour. */
export function hourly() {
  return quantity(
    'price',
    'money per time, such as 2000/h or 50000/day',
    (text) => scaled(parsePrice(text), 1 / yearHours),
    (value) => `${value}/h`,
    notNegative,
  );
}

/** `0.023/GB/month`. In money per byte and year. */
export function storagePrice() {
  return quantity(
    'price of storage',
    'a price per size and time, such as 0.023/GB/month',
    (text) => {
      const [, amount, size, time] = /^([^/]+)\/([^/]+)\/([^/]+)$/.exec(text) ?? [];
      return amount === undefined ? undefined : scaled(parsePrice(`${amount}/${time}`), 1 / bytesOf(size!));
    },
    (value) => `${value}/B/year`,
    notNegative,
  );
}

/** `0.09/GB`. In money per byte. */
export function trafficPrice() {
  return quantity(
    'price of traffic',
    'a price per size, such as 0.09/GB',
    (text) => {
      const [, amount, size] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
      return amount === undefined || !plain.test(amount.trim()) ? undefined : Number(amount) / bytesOf(size!);
    },
    (value) => `${value}/B`,
    notNegative,
  );
}

/** `20GiB/day`, `250KiB/s`. In bytes per hour. */
export function flow() {
  return quantity(
    'flow',
    'a size per time, such as 20GiB/day or 250KiB/s',
    (text) => {
      const [, size, time] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
      if (size === undefined) return undefined;
      const [bytes, hours] = [parseSize(size.trim(), false), parseHours(`1${time!.trim()}`)];
      return bytes === undefined || hours === undefined ? undefined : bytes / hours;
    },
    (value) => `${value}B/h`,
    notNegative,
  );
}

function parsePrice(text: string): number | undefined {
  const [, amount, time] = /^([^/]+)\/\s*([a-z]+)$/i.exec(text) ?? [];
  if (amount === undefined || !plain.test(amount.trim())) return undefined;
  if (/^months?$/i.test(time!)) return Number(amount) * 12;
  const hours = parseHours(`1${time}`);
  return hours === undefined ? undefined : (Number(amount) / hours) * yearHours;
}

/** NaN, which nothing accepts, where it is no size. */
function bytesOf(text: string): number {
  return parseSize(`1${text.trim()}`, false) ?? Number.NaN;
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined || Number.isNaN(value * factor) ? undefined : value * factor;
}
