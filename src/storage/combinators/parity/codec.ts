import type { Combine } from './combine.ts';
import { combineByKernel } from './machine/combine-by-kernel.ts';
import { type Matrix, parityRows, rebuildingRows } from './matrix.ts';

/** Bytes of each shard that are worked on before others get their turn: some milliseconds. */
const sliceBytes = 2 * 1024 * 1024;

/** Objects as payloads of k + m shards, and back. Work on large ones pauses now and then. */
export class Codec {
  readonly data: number;
  readonly parity: number;
  readonly #rows: Matrix;
  readonly #combine: Combine;
  readonly #pause: () => Promise<void>;

  /** @param pause lets others run */
  constructor(data: number, parity: number, pause: () => Promise<void>, combine: Combine = combineByKernel) {
    this.data = data;
    this.parity = parity;
    this.#rows = parityRows(data, parity);
    this.#combine = combine;
    this.#pause = pause;
  }

  /** Payloads by index. Those of data shards are parts of `object`, shorter at its end. */
  async split(object: Uint8Array): Promise<Uint8Array[]> {
    const sizeBytes = Math.ceil(object.length / this.data);
    const shards = Array.from({ length: this.data }, (_, index) =>
      object.subarray(Math.min(index * sizeBytes, object.length), Math.min((index + 1) * sizeBytes, object.length)),
    );
    return [...shards, ...(await this.#combined(this.#rows, shards, sizeBytes))];
  }

  /** The payloads `wanted`, of any `data` others of `sizeBytes` each. */
  async rebuild(present: ReadonlyMap<number, Uint8Array>, wanted: readonly number[], sizeBytes: number): Promise<Uint8Array[]> {
    const used = [...present.keys()].slice(0, this.data);
    const rows = rebuildingRows(this.#rows, this.data, used, wanted);
    return await this.#combined(
      rows,
      used.map((index) => present.get(index)!),
      sizeBytes,
    );
  }

  /** The object of `objectBytes` whose payloads these are, at least `data` of them. */
  async join(present: ReadonlyMap<number, Uint8Array>, objectBytes: number): Promise<Uint8Array> {
    const sizeBytes = Math.ceil(objectBytes / this.data);
    const missing = Array.from({ length: this.data }, (_, index) => index).filter((index) => !present.has(index));
    const rebuilt = missing.length === 0 ? [] : await this.rebuild(present, missing, sizeBytes);
    const object = new Uint8Array(objectBytes);
    for (let index = 0; index < this.data; index += 1) {
      const at = Math.min(index * sizeBytes, objectBytes);
      const payload = present.get(index) ?? rebuilt[missing.indexOf(index)]!;
      object.set(payload.subarray(0, Math.min(payload.length, objectBytes - at)), at);
    }
    return object;
  }

  async #combined(rows: Matrix, inputs: readonly Uint8Array[], sizeBytes: number): Promise<Uint8Array[]> {
    const outputs = rows.map(() => new Uint8Array(sizeBytes));
    for (let from = 0; from < sizeBytes; from += sliceBytes) {
      if (from > 0) await this.#pause();
      const slice = (bytes: Uint8Array): Uint8Array =>
        bytes.subarray(Math.min(from, bytes.length), Math.min(from + sliceBytes, bytes.length));
      this.#combine(rows, inputs.map(slice), outputs.map(slice));
    }
    return outputs;
  }
}
