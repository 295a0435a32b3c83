type Version = readonly [major: number, minor: number, patch: number];

/** The oldest that is supported: the first with fragmented watch answers. */
const OLDEST: Version = [3, 4, 0];

/** Flaws of etcd that matter to holds, with the releases that mend them (etcd's CHANGELOG-3.4.md, -3.5.md, -3.6.md). */
const flaws: readonly { readonly flaw: string; readonly fixed: readonly Version[] }[] = [
  {
    flaw: 'the renewal of a lease that is being revoked can be confirmed (issue 20547)',
    fixed: [
      [3, 4, 38],
      [3, 5, 23],
      [3, 6, 5],
    ],
  },
  {
    flaw: 'reads can be stale after a process was paused (issue 20418)',
    fixed: [
      [3, 4, 42],
      [3, 5, 28],
      [3, 6, 9],
    ],
  },
];

/** The flaws that this version has. One that can not be parsed has none that is known. */
export function flawsOf(version: string): { readonly flaw: string; readonly fixedIn: string }[] {
  const parsed = parse(version);
  if (parsed === undefined) return [];
  return flaws.flatMap(({ flaw, fixed }) => {
    const mended =
      fixed.find(([major, minor]) => major === parsed[0] && minor === parsed[1]) ?? (isBefore(parsed, fixed[0]!) ? fixed[0]! : parsed);
    return isBefore(parsed, mended) ? [{ flaw, fixedIn: mended.join('.') }] : [];
  });
}

export function isTooOld(version: string): boolean {
  const parsed = parse(version);
  return parsed !== undefined && isBefore(parsed, OLDEST);
}

function parse(version: string): Version | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

function isBefore(version: Version, other: Version): boolean {
  const differing = version.findIndex((part, n) => part !== other[n]);
  return differing !== -1 && version[differing]! < other[differing]!;
}
