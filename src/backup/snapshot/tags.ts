import type { Snapshot } from '../repository.ts';

/** What a snapshot's tags of the form `name=value` say; a tag without `=` stands for itself with an empty value. */
export function tagValues({ tags }: Pick<Snapshot, 'tags'>): ReadonlyMap<string, string> {
  return new Map(
    tags.map((tag): [string, string] => {
      const at = tag.indexOf('=');
      return at < 0 ? [tag, ''] : [tag.slice(0, at), tag.slice(at + 1)];
    }),
  );
}
