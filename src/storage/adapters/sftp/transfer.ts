import type { SftpConnection } from './connection.ts';

/** Bytes of one request: every server takes 32 KiB, OpenSSH's 255 KiB; the library parts what is too long for one. */
const pieceBytes = 128 * 1024;
/** Requests of one transfer that are under way: 2 MiB, so that a link of 300 Mbit/s is kept full over 50 ms. */
const piecesAtOnce = 16;

/** Writes all of it. @throws the signal's reason */
export async function upload(connection: SftpConnection, handle: Buffer, data: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
  await inFlight(piecesOf(data), signal, async ({ bytes, offset }) => {
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await connection.ask((sftp, done) => sftp.write(handle, piece, 0, piece.byteLength, offset, (error) => done(error, undefined)));
  });
}

/** So many bytes from `offset` on; fewer where the file ends before. @throws the signal's reason */
export async function download(
  connection: SftpConnection,
  handle: Buffer,
  offset: number,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(sizeBytes);
  let endBytes = sizeBytes;
  await inFlight(rangesOf(sizeBytes), signal, async ({ from, length }) => {
    for (let have = 0; have < length;) {
      const read = await readOnce(connection, handle, whole, from + have, length - have, offset + from + have);
      if (read === 0) return void (endBytes = Math.min(endBytes, from + have));
      have += read;
    }
  });
  return new Uint8Array(whole.buffer, 0, endBytes);
}

/** Bytes read; 0 at the end of the file. */
async function readOnce(
  connection: SftpConnection,
  handle: Buffer,
  into: Buffer,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  return await connection.ask<number>((sftp, done) => {
    sftp.read(handle, into, at, length, position, (error, bytesRead) => {
      const ended = (error as { code?: unknown } | undefined)?.code === 1;
      if (ended) done(undefined, 0);
      else done(error, bytesRead);
    });
  });
}

async function inFlight<T>(items: Iterable<T>, signal: AbortSignal, act: (item: T) => Promise<void>): Promise<void> {
  // One iterator for all: an error in one of them ends it, and so the others after what they are at.
  const rest = (function* () {
    yield* items;
  })();
  const work = async (): Promise<void> => {
    for (const item of rest) {
      signal.throwIfAborted();
      await act(item);
    }
  };
  await Promise.all(Array.from({ length: piecesAtOnce }, work));
}

function* piecesOf(data: readonly Uint8Array[]): Generator<{ bytes: Uint8Array; offset: number }> {
  let offset = 0;
  for (const part of data) {
    for (let at = 0; at < part.byteLength; at += pieceBytes) {
      const bytes = part.subarray(at, at + pieceBytes);
      yield { bytes, offset };
      offset += bytes.byteLength;
    }
  }
}

function* rangesOf(sizeBytes: number): Generator<{ from: number; length: number }> {
  for (let from = 0; from < sizeBytes; from += pieceBytes) yield { from, length: Math.min(pieceBytes, sizeBytes - from) };
}
