import type { LocationConfig } from './config.ts';

type Password = NonNullable<LocationConfig['password']>;

/**
 * The password of the repository in a location: its own; or, where it is a part of a mirror, the mirror's, as it then has that one's repository
 * whole. Undefined where there is none, or where several mirrors differ.
 */
export function repositoryPassword(name: string, locations: Readonly<Record<string, LocationConfig>>): Password | undefined {
  const own = Object.hasOwn(locations, name) ? locations[name]?.password : undefined;
  if (own !== undefined) return own;
  const found = [...mirrorsOf(name, locations)].flatMap((mirror) => locations[mirror]?.password ?? []);
  return new Set(found.map((password) => password.reveal())).size === 1 ? found[0] : undefined;
}

/** All that it is a part of, also of mirrors of mirrors; none twice. */
function mirrorsOf(name: string, locations: Readonly<Record<string, LocationConfig>>): Set<string> {
  const found = new Set<string>();
  const open = [name];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    for (const [mirror, config] of Object.entries(locations)) {
      if (config.mirror?.includes(part) !== true || found.has(mirror)) continue;
      found.add(mirror);
      open.push(mirror);
    }
  }
  return found;
}
