// How documents (index, lock, snapshot, config) lie in a repository: doc/design.rst of restic/restic, "Unpacked Data Format".
import { compress, decompress } from '../crypto/compression.ts';
import { seal, type SealingKey, unseal } from '../crypto/seal.ts';
import { damaged } from './damaged.ts';
import { parseJson } from './json.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** First byte of a compressed document; otherwise it is the first of the JSON itself. */
const compressedForm = 2;
const objectForm = 0x7b;
const arrayForm = 0x5b;
/** Plain bytes of a document. An index is kept below 8 MiB by whoever writes it well; others have been seen at ten times that. */
const documentBytesMax = 512 * 1024 * 1024;

/** The bytes of a document to be stored. Version 1 of the format, and `config` in both, are not compressed. */
export function sealDocument(key: SealingKey, json: string, options: { readonly compressed: boolean }): Uint8Array<ArrayBuffer> {
  const plain = encoder.encode(json);
  if (!options.compressed) return seal(key, plain);
  const packed = compress(plain);
  const form = new Uint8Array(packed.byteLength + 1);
  form[0] = compressedForm;
  form.set(packed, 1);
  return seal(key, form);
}

/** The text of a document; `what` names it in errors. @throws BACKUP_DAMAGED */
export function openDocument(key: SealingKey, sealed: Uint8Array, what: string): string {
  const form = unseal(key, sealed);
  if (form === undefined) throw damaged(what, 'does not match its checksum');
  try {
    return decoder.decode(plainOf(form));
  } catch (error) {
    throw damaged(what, `can not be read: ${(error as Error).message}`, error);
  }
}

/** The object in a document. @throws BACKUP_DAMAGED */
export function openObject(key: SealingKey, sealed: Uint8Array, what: string): Record<string, unknown> {
  const text = openDocument(key, sealed, what);
  return parseObject(text, what);
}

/** @throws BACKUP_DAMAGED */
export function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw damaged(what, 'is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(what, 'is not a JSON object');
  return value as Record<string, unknown>;
}

function plainOf(form: Uint8Array): Uint8Array {
  const first = form[0];
  if (first === objectForm || first === arrayForm) return form;
  if (first !== compressedForm) throw new RangeError(`it has the unknown form ${first}`);
  return decompress(form.subarray(1), documentBytesMax);
}
