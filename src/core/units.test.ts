import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatDurationMs,
  formatPercent,
  formatRate,
  formatSizeBytes,
  parseDurationMs,
  parsePercent,
  parseRate,
  parseSizeBytes,
} from './units.ts';

const refused = (problem: string) =>
  expect.objectContaining({ code: 'UNIT_INVALID', message: expect.stringContaining(problem) as unknown });

describe('durations', () => {
  test.each([
    ['0s', 0],
    ['200ms', 200],
    ['10s', 10_000],
    ['1.5s', 1_500],
    ['0.001s', 1],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1w2d3h4m5s6ms', 788_645_006],
  ])('%s is %d ms', (text, ms) => expect(parseDurationMs(text)).toBe(ms));

  test.each([
    ['', 'is not a duration'],
    ['10', 'is not a duration'],
    ['-1s', 'is not a duration'],
    ['1 s', 'is not a duration'],
    ['1S', 'is not a duration'],
    ['1e3s', 'is not a duration'],
    ['.5s', 'is not a duration'],
    ['10s\n', 'is not a duration'],
    ['1m1h', 'out of order or twice'],
    ['1s1s', 'out of order or twice'],
    ['0.5ms', 'not a whole number of milliseconds'],
    ['99999999999999999999w', 'is too long'],
  ])('refuses %j', (text, problem) => expect(() => parseDurationMs(text)).toThrow(refused(problem)));

  test('an error repeats no more than the beginning of a long mistake', () => {
    expect(() => parseDurationMs('x'.repeat(10_000))).toThrow(/^'x{64}…' is not a duration$/);
  });

  test('what is formatted is read back as the same', () => {
    fc.assert(fc.property(fc.nat({ max: 10 ** 13 }), (ms) => parseDurationMs(formatDurationMs(ms)) === ms));
    expect([0, 350, 999.6, 1_500, 61_001, 5_400_000, 90_000_000].map(formatDurationMs)).toEqual([
      '0ms',
      '350ms',
      '1s',
      '1.5s',
      '1m1.001s',
      '1h30m',
      '1d1h',
    ]);
  });
});

describe('sizes and rates', () => {
  test.each([
    ['0B', 0],
    ['16MiB', 16_777_216],
    ['1.5GiB', 1_610_612_736],
    ['100MB', 100_000_000],
    ['1kB', 1_000],
    ['7PiB', 7 * 2 ** 50],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
    expect(parseRate(`${text}/s`)).toBe(bytes);
  });

  test.each([
    ['16', 'is not a size'],
    ['16mib', 'is not a size'],
    ['16KB', 'is not a size'],
    ['1toString', 'is not a size'],
    ['0.3B', 'not a whole number of bytes'],
    ['9PiB', 'is too large'],
  ])('refuses %j', (text, problem) => expect(() => parseSizeBytes(text)).toThrow(refused(problem)));

  test('a rate is per second', () => {
    expect(() => parseRate('16MiB')).toThrow(refused("does not end in '/s'"));
    expect(() => parseRate('16MiB/m')).toThrow(refused("does not end in '/s'"));
  });

  test('for people', () => {
    expect([0, 1023, 1024, 16_777_216, 1_234_567, 1_610_612_736].map(formatSizeBytes)).toEqual([
      '0B',
      '1023B',
      '1KiB',
      '16MiB',
      '1.18MiB',
      '1.5GiB',
    ]);
    expect(formatRate(104_857_600)).toBe('100MiB/s');
  });
});

describe('percentages', () => {
  test.each([
    ['0%', 0],
    ['99.95%', 0.9995],
    ['99.999999%', 0.99999999],
    ['100%', 1],
  ])('%s is %d', (text, fraction) => {
    expect(parsePercent(text)).toBe(fraction);
    expect(formatPercent(fraction)).toBe(text);
  });

  test.each([
    ['99.95', 'is not a percentage'],
    ['101%', 'is above 100%'],
    ['-1%', 'is not a percentage'],
  ])('refuses %j', (text, problem) => expect(() => parsePercent(text)).toThrow(refused(problem)));
});
