import { createHash } from 'node:crypto';
import { z } from 'zod';

const fileSchema = z
  .object({
    Path: z.string().optional(),
    'Encoded-Path': z.string().optional(),
    Size: z.number().int().min(0),
    'Checksum-Algorithm': z.string().optional(),
    Checksum: z.string().optional(),
  })
  .transform((file) => ({
    // Names that are not UTF-8 come in hexadecimal.
    path: file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('latin1'),
    sizeBytes: file.Size,
    algorithm: file['Checksum-Algorithm'],
    checksum: file.Checksum?.toLowerCase(),
  }));

const manifestSchema = z.object({
  'PostgreSQL-Backup-Manifest-Version': z.number().int().min(1).max(2),
  'System-Identifier': z.number().optional(),
  Files: z.array(fileSchema),
  'WAL-Ranges': z.array(z.object({ Timeline: z.number().int(), 'Start-LSN': z.string(), 'End-LSN': z.string() })),
});

/** Size and SHA-256 of a file as it came. */
export interface ReceivedFile {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Files that a manifest does not list: WAL (which protects itself), and what the server adds for its own use. */
const unlisted = /^(pg_wal\/.+|backup_manifest)$/;

/**
 * What is wrong with a received backup, by its manifest (PostgreSQL manual, Backup Manifest Format); undefined when every file is there,
 * with the stated size and SHA-256, and none too many.
 */
export function manifestProblem(text: string, received: ReadonlyMap<string, ReceivedFile>): string | undefined {
  const lastLine = /^([\s\S]*\n)"Manifest-Checksum": "([0-9a-f]{64})"\}\n$/.exec(text);
  if (lastLine === null) return 'its manifest has no checksum: it is cut off';
  if (createHash('sha256').update(lastLine[1]!).digest('hex') !== lastLine[2]) return 'its manifest does not match its own checksum';
  const manifest = manifestSchema.parse(JSON.parse(text));
  const listed = new Map(manifest.Files.map((file) => [file.path, file]));
  for (const [path, file] of listed) {
    const got = received.get(path);
    if (got === undefined) return `'${path}' did not come`;
    if (got.sizeBytes !== file.sizeBytes) return `'${path}' came with ${got.sizeBytes} bytes instead of ${file.sizeBytes}`;
    if (file.algorithm !== 'SHA256' || got.sha256 !== file.checksum) return `'${path}' does not match its checksum`;
  }
  for (const path of received.keys()) if (!listed.has(path) && !unlisted.test(path)) return `'${path}' came but is not in the manifest`;
  return undefined;
}
