import { createHash } from 'node:crypto';
import { seededRandom } from '../../../sim/index.ts';

/** Some are small, some more than a block. */
export function contentOf(value: string): Uint8Array {
  return made(contents, value, () => {
    const random = seededRandom(value);
    // One value alone is empty: what is equal could not be told apart.
    const sizeBytes = value.endsWith('-0') ? 0 : random.pick([16, 700, 3_000, 150_000]);
    return Uint8Array.from({ length: sizeBytes }, () => random.integer(256));
  });
}

export function digestOfValue(value: string): string {
  return made(digests, value, () => digestOf(contentOf(value)));
}

const contents = new Map<string, Uint8Array>();
const digests = new Map<string, string>();
const madeMax = 100;

function made<T>(known: Map<string, T>, value: string, make: () => T): T {
  let found = known.get(value);
  if (found === undefined) {
    if (known.size >= madeMax) known.clear();
    known.set(value, (found = make()));
  }
  return found;
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
