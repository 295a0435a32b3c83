import { z } from 'zod';
import { path, secret } from '../../../core/config-fields.ts';

const prefixAllowed = 'must be names of A-Z, a-z, 0-9, dot, dash and underscore parted by single slashes, such as backups/shop';

/** Settings of a bucket: `s3: { … }`. */
export const configSchema = z
  .strictObject({
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
      .describe('It must exist: Holdfast makes none.'),
    region: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe("Where it is. Absent: as AWS's own tools find it; us-east-1 where an endpoint is given."),
    endpoint: z
      .url({ protocol: /^https?$/, error: 'must be a URL such as https://s3.example.net' })
      .optional()
      .describe('Of an S3-compatible store. Absent: AWS.'),
    prefix: z
      .string(prefixAllowed)
      .max(200, prefixAllowed)
      .regex(/^(?:(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/(?!$)|$))*$/, prefixAllowed)
      .optional()
      .describe('All keys are below it.'),
    accessKey: secret()
      .optional()
      .describe("Absent, with the secret key: as AWS's own tools find them (environment, profile, the machine's role)."),
    secretKey: secret().optional(),
    sessionToken: secret().optional().describe('Of temporary credentials.'),
    pathStyle: z
      .boolean()
      .optional()
      .describe('Whether the bucket stands in the path of requests and not in the name of the host. Absent: where an endpoint is given.'),
    storageClass: z
      .string()
      .regex(/^[A-Z0-9_]{1,64}$/, 'must be a storage class such as STANDARD_IA')
      .optional()
      .describe('What new objects are stored as. Classes that must be thawed before they can be read are not fit for repositories.'),
    ca: path().optional().describe('PEM file with the CA of the endpoint. Absent: the CAs that Node.js trusts.'),
  })
  .refine(({ accessKey, secretKey }) => (accessKey === undefined) === (secretKey === undefined), 'needs accessKey and secretKey together')
  .refine(({ accessKey, sessionToken }) => sessionToken === undefined || accessKey !== undefined, {
    message: 'needs accessKey and secretKey',
    path: ['sessionToken'],
  });

export type S3Config = z.output<typeof configSchema>;
