import { z } from 'zod';
import { name, rate, secret, size } from '../core/config-fields.ts';
import { configSchema as path } from './adapters/local/config.ts';
import { configSchema as s3 } from './adapters/s3/config.ts';
import { configSchema as sftp } from './adapters/sftp/config.ts';

const paritySchema = z.strictObject({
  data: z.int().min(1).max(32),
  parity: z.int().min(1).max(32),
  over: z.array(name()).min(2),
});

/** The kinds of location there are, by the key under which each stands in a configuration. */
const kinds = {
  path: path.optional(),
  s3: s3.optional().describe('A bucket of an S3-compatible store.'),
  sftp: sftp.optional().describe('A directory of an SSH server.'),
  mirror: z.array(name()).min(2).optional().describe('Locations that each have everything.'),
  parity: paritySchema.optional().describe('Locations of which any `data` many suffice.'),
};

const limitsSchema = z.strictObject({
  upload: rate({ min: '1KiB/s' }).optional(),
  download: rate({ min: '1KiB/s' }).optional(),
  size: size()
    .optional()
    .describe('Once so much lies in it, no further backup is begun there. The journal goes on, and so does what frees room.'),
});

/** One place where copies live, or several taken as one. */
export const locationSchema = z
  .strictObject({
    ...kinds,
    password: secret()
      .optional()
      .describe(
        'Of the restic repository in it: everything is encrypted with it, and nothing can be restored without it. A part of a mirror has that of the mirror.',
      ),
    limits: limitsSchema
      .optional()
      .describe('Bandwidth that it may use, on average over some seconds, and how much may lie in it. Absent: all there is.'),
  })
  .refine(
    (location) => Object.keys(kinds).filter((kind) => location[kind as keyof typeof kinds] !== undefined).length === 1,
    `must have exactly one of ${Object.keys(kinds).join(', ')}`,
  )
  .refine(({ mirror, parity, limits }) => limits === undefined || (mirror ?? parity) === undefined, {
    message: 'belongs to the locations that this one is made of',
    path: ['limits'],
  });

/** As a person writes it. */
export type LocationConfigInput = z.input<typeof locationSchema>;
/** As read: rates in bytes per second, secrets ready to be revealed. */
export type LocationConfig = z.output<typeof locationSchema>;
