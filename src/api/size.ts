/** Factors of PostgreSQL's memory units, which Patroni takes too: powers of 1024, whatever the letters say. */
const units: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };

/** `1048576`, `1024kB`, `10MB`, `1.5 GB` → bytes; undefined when it is not a size. The notation of health checks in this field, not of holdfast.yaml. */
export function parsePostgresSize(text: string): number | undefined {
  const [, number, unit] = /^\s*(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]{0,2})\s*$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  const factor = units[unit.toLowerCase()];
  return factor === undefined ? undefined : Math.floor(Number(number) * factor);
}
