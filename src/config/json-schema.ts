import { z } from 'zod';
import { configSchema } from './schema.ts';

/** JSON Schema (2020-12) of holdfast.yaml as a person writes it, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // Ours, for the loader; no keyword of JSON Schema.
      delete jsonSchema['kind'];
    },
  });
  return { ...schema, title: 'Holdfast configuration' };
}
