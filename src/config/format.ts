import { stringify } from 'yaml';

/** A value of the configuration as YAML, in the notation of the file. */
export function formatConfig(value: unknown): string {
  return stringify(value);
}
