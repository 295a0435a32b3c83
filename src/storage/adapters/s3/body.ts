import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { PutObjectCommand } from '@aws-sdk/client-s3';

/** What is sent: never copied, its length known beforehand. */
export function uploadBody(data: readonly Uint8Array[], sizeBytes: number): Readable | Uint8Array {
  return sizeBytes === 0 ? new Uint8Array(0) : Readable.from(data.filter((part) => part.byteLength > 0));
}

/**
 * Signs what is sent, which the SDK does for bodies in one piece alone: the store refuses what arrives otherwise (Authenticating Requests,
 * AWS Signature Version 4, x-amz-content-sha256).
 */
export function signBody(command: PutObjectCommand, data: readonly Uint8Array[]): void {
  const hash = createHash('sha256');
  for (const part of data) hash.update(part);
  const sha256 = hash.digest('hex');
  command.middlewareStack.add(
    (next) => async (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = sha256;
      return await next(args);
    },
    { step: 'build', name: 'signBody' },
  );
}

/** All of a body that must have so many bytes; fewer when it ends before. The first byte too many ends it. */
export async function download(
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly received: number }> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
  let received = 0;
  for await (const chunk of body) {
    if (received + chunk.byteLength > sizeBytes) return { bytes, received: received + chunk.byteLength };
    bytes.set(chunk, received);
    received += chunk.byteLength;
  }
  return { bytes, received };
}
