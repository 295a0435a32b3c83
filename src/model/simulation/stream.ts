import type { Random } from '../../core/random.ts';

/** What all streams of one simulation are derived from: four 32-bit words. */
export type StreamKey = readonly [number, number, number, number];

/** Draws a key from the port of chance: the only numbers of a simulation that come from there. */
export function streamKey(random: Random): StreamKey {
  const word = (): number => Math.floor(random.next() * 2 ** 32) | 0;
  return [word(), word(), word(), word()];
}

/** Layers of the ziggurat, the beginning of its tail, and the area of each layer (Marsaglia, Tsang, J. Stat. Software 5(8), 2000). */
const LAYERS = 256;
const TAIL = 7.697_117_470_131_05;
const AREA = 0.003_949_659_822_581_557;

const edge = new Float64Array(LAYERS + 1);
const height = new Float64Array(LAYERS + 1);
edge[0] = AREA / Math.exp(-TAIL);
edge[1] = TAIL;
for (let layer = 2; layer < LAYERS; layer++) edge[layer] = -Math.log(AREA / edge[layer - 1]! + Math.exp(-edge[layer - 1]!));
for (let layer = 0; layer <= LAYERS; layer++) height[layer] = Math.exp(-edge[layer]!);

/**
 * Random numbers of one replication: sfc32 (Doty-Humphrey, PractRand), begun from the simulation's key and the replication's number, so
 * that a replication draws the same wherever and whenever it runs. Allocates nothing.
 */
export class Stream implements Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 1;
  /** Bits of the last draw that its number did not use. */
  private spare = 0;

  /** Begins the stream of a replication. */
  begin(key: StreamKey, replication: number): void {
    const low = replication | 0;
    const high = Math.floor(replication / 2 ** 32) | 0;
    this.a = mix(key[0] ^ mix(low ^ 0x9e3779b9));
    this.b = mix(key[1] ^ mix(this.a ^ high));
    this.c = mix(key[2] ^ mix(this.b ^ low));
    this.counter = mix(key[3] ^ mix(this.c ^ low)) | 1;
    for (let round = 0; round < 12; round++) this.word();
  }

  private word(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }

  /** Uniform in [0, 1), 53 bits. */
  next(): number {
    const high = this.word();
    const low = this.word();
    this.spare = ((high & 31) << 6) | (low & 63);
    return ((high >>> 5) * 67_108_864 + (low >>> 6)) / 9_007_199_254_740_992;
  }

  /** Exponential with mean 1, by the ziggurat: in 98.9 % of draws without a logarithm. */
  exponential(): number {
    for (;;) {
      const uniform = this.next();
      const layer = this.spare & 255;
      const x = uniform * edge[layer]!;
      if (x < edge[layer + 1]!) return x;
      // No memory: what is beyond the beginning of the tail is exponential again.
      if (layer === 0) return TAIL + this.exponential();
      if (height[layer]! + this.next() * (height[layer + 1]! - height[layer]!) < Math.exp(-x)) return x;
    }
  }
}

/** Finalizer of MurmurHash3 (Appleby): every bit of the input moves every bit of the result. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
