/** One member of an archive, as its header tells. */
export interface TarEntry {
  /** Relative, without `.` or `..` parts. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link';
  readonly sizeBytes: number;
  readonly linkTarget: string;
}

/** Takes what an archive holds, in its order; `data` only between `begin` and `end` of a file, in chunks that stay as they are. */
export interface TarSink {
  begin(entry: TarEntry): Promise<void>;
  data(chunk: Buffer): Promise<void>;
  end(): Promise<void>;
}

const blockBytes = 512;

/**
 * Reads the ustar archives of BASE_BACKUP as they come in (POSIX.1-1988; large sizes in GNU's base-256). PostgreSQL writes neither PAX
 * nor long-name members, so any of these is an error.
 */
export class TarReader {
  readonly #sink: TarSink;
  #header = Buffer.alloc(0);
  /** Bytes of the present file still to come, then of its padding. */
  #missing = 0;
  #padding = 0;
  #inFile = false;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** @throws RangeError when it is no such archive */
  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      if (this.#missing > 0) {
        const part = chunk.subarray(at, at + this.#missing);
        await this.#sink.data(part);
        this.#missing -= part.length;
        at += part.length;
        if (this.#missing === 0) await this.#endFile();
      } else if (this.#padding > 0) {
        const part = Math.min(this.#padding, chunk.length - at);
        this.#padding -= part;
        at += part;
      } else {
        const part = chunk.subarray(at, at + blockBytes - this.#header.length);
        this.#header = this.#header.length === 0 ? Buffer.from(part) : Buffer.concat([this.#header, part]);
        at += part.length;
        if (this.#header.length === blockBytes) await this.#begin();
      }
    }
  }

  /** @throws RangeError when the archive ended in the midst of something */
  finish(): void {
    if (this.#inFile || this.#missing > 0 || this.#header.length > 0) throw new RangeError('the archive is cut off');
  }

  async #begin(): Promise<void> {
    const header = this.#header;
    this.#header = Buffer.alloc(0);
    // The end of an archive is two blocks of zeros; older servers leave them out.
    if (header.every((byte) => byte === 0)) return;
    const entry = parseHeader(header);
    await this.#sink.begin(entry);
    if (entry.kind !== 'file') return;
    this.#inFile = true;
    this.#missing = entry.sizeBytes;
    this.#padding = (blockBytes - (entry.sizeBytes % blockBytes)) % blockBytes;
    if (entry.sizeBytes === 0) await this.#endFile();
  }

  async #endFile(): Promise<void> {
    this.#inFile = false;
    await this.#sink.end();
  }
}

function parseHeader(header: Buffer): TarEntry {
  const stated = readNumber(header, 148, 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < blockBytes; at += 1) if (at < 148 || at >= 156) sum += header[at]!;
  if (sum !== stated) throw new RangeError('the archive has a damaged header');
  const prefix = readText(header, 345, 155);
  const name = safeName(prefix === '' ? readText(header, 0, 100) : `${prefix}/${readText(header, 0, 100)}`);
  const type = String.fromCharCode(header[156]!);
  const kind = type === '0' || type === '\0' ? 'file' : type === '5' ? 'directory' : type === '2' ? 'link' : undefined;
  if (kind === undefined) throw new RangeError(`the archive has a member of the unknown type '${type}'`);
  return { name, kind, sizeBytes: kind === 'file' ? readNumber(header, 124, 12) : 0, linkTarget: readText(header, 157, 100) };
}

/** Never out of the directory that it is unpacked to. */
function safeName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..')) throw new RangeError(`the archive has a member with the unsafe name '${name}'`);
  return parts.join('/');
}

function readText(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

function readNumber(header: Buffer, at: number, length: number): number {
  if ((header[at]! & 0x80) === 0) {
    const text = header.toString('latin1', at, at + length).replaceAll(/[\0 ]/g, '');
    if (!/^[0-7]*$/.test(text)) throw new RangeError('the archive has an unreadable number');
    return Number.parseInt(text || '0', 8);
  }
  const value = header.subarray(at + 1, at + length).reduce((sum, byte) => sum * 256n + BigInt(byte), BigInt(header[at]! & 0x7f));
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('the archive has a file of impossible size');
  return Number(value);
}
