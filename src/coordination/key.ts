import { HoldfastError } from '../core/errors.ts';

/** Most bytes of a value, as UTF-8. */
export const VALUE_BYTES_MAX = 256 * 1024;
/** Most characters of a key or queue name. */
export const KEY_LENGTH_MAX = 255;

const segment = /^(?!\.+$)[A-Za-z0-9._-]+$/;

/** Refuses what is not a key (see CoordinationStore); queue names and prefixes follow the same rule. @throws COORD_BAD_KEY */
export function assertKey(key: string): void {
  if (key.length <= KEY_LENGTH_MAX && key.split('/').every((part) => segment.test(part))) return;
  const shown = JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);
  throw new HoldfastError(
    'COORD_BAD_KEY',
    `${shown} is not a key: 1 to ${KEY_LENGTH_MAX} characters of [A-Za-z0-9._-] in segments parted by single slashes`,
    {
      hint: 'Use letters, digits, dots, dashes and underscores; no slash at either end, no segment of dots alone.',
    },
  );
}

/** Refuses a queue label that is not [a-z]+ (at most 32). @throws COORD_BAD_KEY */
export function assertLabel(label: string): void {
  if (/^[a-z]{1,32}$/.test(label)) return;
  throw new HoldfastError('COORD_BAD_KEY', `${JSON.stringify(label.slice(0, 80))} is not a queue label: 1 to 32 characters of [a-z]`);
}

/** Refuses a value that is no well-formed text or too long. @throws COORD_BAD_VALUE */
export function assertValue(value: string): void {
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > VALUE_BYTES_MAX) {
    throw new HoldfastError('COORD_BAD_VALUE', `the value has ${sizeBytes} bytes of UTF-8; at most ${VALUE_BYTES_MAX} are allowed`, {
      hint: 'A coordination store is for small facts: keep large data elsewhere and store where it is.',
    });
  }
  if (!value.isWellFormed()) {
    throw new HoldfastError('COORD_BAD_VALUE', 'the value holds half a surrogate pair and can not be written as UTF-8');
  }
}
