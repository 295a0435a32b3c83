import { z } from 'zod';
import { duration, path } from '../../../core/config-fields.ts';

/** Names as HAProxy has them: no blank, semicolon or slash, which its command line would read as its own. */
const proxyName = () => z.string().regex(/^[A-Za-z0-9_.:-]{1,80}$/, 'must be a name as HAProxy allows it: letters, digits, _ . : and -');

/** An HAProxy that is told by its runtime socket who leads. */
export const configSchema = z
  .strictObject({
    socket: path().describe('Its `stats socket`, of level admin.'),
    write: proxyName().optional().describe('Its backend (or `listen`) for clients that write. It has one server, whose address is set.'),
    read: proxyName()
      .optional()
      .describe('Its backend for clients that only read. It has as many servers as there are replicas at most; their addresses are set.'),
    timeout: duration({ min: '50ms', max: '1m' }).prefault('2s').describe('How long it may take to answer.'),
  })
  .refine((config) => config.write !== undefined || config.read !== undefined, "must have 'write', 'read' or both: names of its backends");

export type HaproxyConfig = z.output<typeof configSchema>;
