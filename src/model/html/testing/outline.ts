/** Elements that have no end. */
const empty = new Set(['meta', 'br', 'link', 'img', 'input', 'hr']);

/** What a browser would make of a page, as far as tests ask. */
export interface Outline {
  /** Names of elements in order. */
  readonly tags: readonly string[];
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly ids: readonly string[];
  /** Ends without a beginning, beginnings without an end, text that is markup by half, attributes that stand twice. Empty of a page that is well formed. */
  readonly problems: readonly string[];
}

/** Reads a page strictly: what it accepts, every parser of HTML reads in the same way. */
export function outlineOf(text: string): Outline {
  const tags: string[] = [];
  const attributes: [string, string][] = [];
  const problems: string[] = [];
  const open: string[] = [];
  const form = /<!doctype html>|<\/([a-z][a-z0-9-]*)>|<([a-z][A-Za-z0-9-]*)((?:\s+[A-Za-z][A-Za-z0-9-]*="[^"<>]*")*)\s*(\/?)>/y;
  for (let at = 0; at < text.length;) {
    const raw = open.at(-1) === 'script' || open.at(-1) === 'style';
    const next = raw ? text.indexOf(`</${open.at(-1)}`, at) : text.indexOf('<', at);
    const between = text.slice(at, next === -1 ? text.length : next);
    if (!raw && /[>]|&(?!(?:amp|lt|gt|quot|#39);)/.test(between)) problems.push(`half a tag or entity: ${between.slice(0, 80)}`);
    if (next === -1) break;
    form.lastIndex = next;
    const match = form.exec(text);
    if (!match) {
      problems.push(`no tag: ${text.slice(next, next + 80)}`);
      break;
    }
    const [, end, begin, written = '', closed] = match;
    if (end !== undefined && open.pop() !== end) problems.push(`</${end}> ends nothing`);
    if (begin !== undefined) {
      tags.push(begin);
      const names = [...written.matchAll(/\s([A-Za-z][A-Za-z0-9-]*)="([^"]*)"/g)].map(([, name, value]): [string, string] => [
        name!,
        value!,
      ]);
      if (new Set(names.map(([name]) => name)).size < names.length) problems.push(`an attribute stands twice: ${match[0]}`);
      attributes.push(...names);
      if (!empty.has(begin) && closed !== '/') open.push(begin);
    }
    at = form.lastIndex;
  }
  if (open.length > 0) problems.push(`never ended: ${open.join(', ')}`);
  const ids = attributes.flatMap(([name, value]) => (name === 'id' ? [value] : []));
  return { tags, attributes, ids, problems };
}
