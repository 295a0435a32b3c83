import { copyFile, open, stat, truncate } from 'node:fs/promises';

/** What a service has said is kept up to twice this. */
const logBytesMax = 64 * 1024 * 1024;
const tailBytes = 4_096;
const tailLines = 3;

/** Moves a log that has grown too large to `path.1`. The service goes on writing to the same file, which it has open for appending. */
export async function trimLog(path: string): Promise<void> {
  if ((await sizeOf(path)) <= logBytesMax) return;
  await copyFile(path, `${path}.1`);
  await truncate(path);
}

export async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** The last lines written since the log had `offset` bytes, as one. */
export async function lastWords(path: string, offset: number): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const start = Math.max(offset, size - tailBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, start);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines
      .filter((line) => line.trim() !== '')
      .slice(-tailLines)
      .join(' / ');
  } catch {
    return '';
  }
}
