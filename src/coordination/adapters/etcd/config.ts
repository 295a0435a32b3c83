import { z } from 'zod';
import { duration, path, secret } from '../../../core/config-fields.ts';

const endpointAllowed = 'must be http://HOST:PORT or https://HOST:PORT, such as https://10.0.0.11:2379';
const prefixAllowed = 'must be a path of names A-Z, a-z, 0-9, dot, dash and underscore, such as /holdfast';

/** Settings of the etcd store: `coordination: { etcd: … }`. */
export const configSchema = z
  .strictObject({
    endpoints: z
      .array(
        z
          .string(endpointAllowed)
          .regex(/^https?:\/\/([A-Za-z0-9]([A-Za-z0-9._-]{0,252})?|\[[0-9A-Fa-f:.]{2,45}\]):\d{1,5}$/, endpointAllowed),
      )
      .min(1)
      .max(16)
      .refine((urls) => new Set(urls).size === urls.length, 'must not name an endpoint twice')
      .refine((urls) => new Set(urls.map((url) => url.startsWith('https:'))).size <= 1, 'must be all http or all https')
      .describe('Client URLs of the members of one etcd cluster. One is enough while that member is up.'),
    tls: z
      .strictObject({
        ca: path()
          .optional()
          .describe('PEM file with the CA that signed the certificates of the members. Absent: the CAs that Node.js trusts.'),
        cert: path().optional().describe('PEM file with our client certificate.'),
        key: path().optional().describe('PEM file with its key.'),
      })
      .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'needs cert and key together')
      .optional(),
    username: z.string().min(1).max(200).optional(),
    password: secret().optional(),
    prefix: z
      .string(prefixAllowed)
      .max(200, prefixAllowed)
      .regex(/^(\/(?!\.+(\/|$))[A-Za-z0-9._-]+)+$/, prefixAllowed)
      .default('/holdfast')
      .describe('All keys are below it. Two Holdfast clusters in one etcd need two.'),
    requestTimeout: duration({ min: '200ms', max: '1m' })
      .prefault('5s')
      .describe('How long one request may take in all, tries on several members included.'),
  })
  .refine(({ username, password }) => (username === undefined) === (password === undefined), 'needs username and password together')
  .refine(({ endpoints, tls }) => tls === undefined || endpoints.every((url) => url.startsWith('https:')), {
    message: 'needs https endpoints',
    path: ['tls'],
  });

export type EtcdConfig = z.output<typeof configSchema>;
