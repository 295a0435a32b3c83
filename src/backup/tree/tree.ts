// Tree documents: the entries of one directory, in the bytes that restic makes of them, so that the same directory has the same id.
import { HoldfastError } from '../../core/errors.ts';
import { formatJson, parseJson, quoteJson } from '../documents/json.ts';
import { compareNames, isText, nameFromBytes, nameToBytes, quoteName, unquoteName } from './name.ts';
import type { ExtendedAttribute, NodeType, TreeNode } from './node.ts';

const idForm = /^[0-9a-f]{64}$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const types: ReadonlySet<NodeType> = new Set(['file', 'dir', 'symlink', 'dev', 'chardev', 'fifo', 'socket', 'irregular', '']);

/**
 * The document of a directory whose entries are in the order of `compareNames`.
 * Order of members, what is left out when empty, and the newline at the end: restic, internal/data/{node,tree}.go.
 */
export function encodeTree(nodes: readonly TreeNode[]): Uint8Array {
  let last: string | undefined;
  const texts: string[] = [];
  for (const node of nodes) {
    if (last !== undefined && compareNames(last, node.name) >= 0) throw new RangeError(`entries out of order: ${last}, ${node.name}`);
    last = node.name;
    texts.push(formatNode(node));
  }
  return encoder.encode(`{"nodes":[${texts.join(',')}]}\n`);
}

/** The entries of a document; `what` names it in errors. @throws BACKUP_DAMAGED */
export function decodeTree(bytes: Uint8Array, what: string): TreeNode[] {
  try {
    const document = parseJson(decoder.decode(bytes)) as { readonly nodes?: unknown };
    const nodes = document?.nodes;
    if (nodes === null) return [];
    if (!Array.isArray(nodes)) throw new SyntaxError('no list of nodes');
    return nodes.map((one) => parseNode(one));
  } catch (error) {
    throw new HoldfastError('BACKUP_DAMAGED', `${what} is not a tree document: ${(error as Error).message}`, {
      hint: 'holdfast check tells what else is damaged',
      cause: error,
    });
  }
}

function formatNode(node: TreeNode): string {
  const members: string[] = [`"name":${quoteJson(quoteName(node.name))}`, `"type":${quoteJson(node.type)}`];
  const add = (key: string, text: string): unknown => members.push(`"${key}":${text}`);
  const addUnlessZero = (key: string, value: number | bigint | undefined): unknown =>
    value !== undefined && BigInt(value) !== 0n && add(key, String(value));
  const addUnlessEmpty = (key: string, value: string | undefined): unknown =>
    value !== undefined && value !== '' && add(key, quoteJson(value));

  addUnlessZero('mode', node.mode);
  add('mtime', quoteJson(node.mtime));
  add('atime', quoteJson(node.atime));
  add('ctime', quoteJson(node.ctime));
  add('uid', String(node.uid));
  add('gid', String(node.gid));
  addUnlessEmpty('user', node.user);
  addUnlessEmpty('group', node.group);
  addUnlessZero('inode', node.inode);
  addUnlessZero('device_id', node.deviceId);
  addUnlessZero('size', node.size);
  addUnlessZero('links', node.links);
  addUnlessEmpty('linktarget', node.linkTarget);
  if (node.linkTarget !== undefined && !isText(node.linkTarget)) add('linktarget_raw', `"${base64(nameToBytes(node.linkTarget))}"`);
  if (node.extendedAttributes?.length) add('extended_attributes', `[${node.extendedAttributes.map(formatAttribute).join(',')}]`);
  if (node.genericAttributes && Object.keys(node.genericAttributes).length > 0)
    add('generic_attributes', formatJson(node.genericAttributes));
  addUnlessZero('device', node.device);
  add('content', node.content === undefined ? 'null' : `[${node.content.map((id) => `"${id}"`).join(',')}]`);
  if (node.subtree !== undefined) add('subtree', `"${node.subtree}"`);
  addUnlessEmpty('error', node.error);
  for (const [key, value] of Object.entries(node.extra ?? {})) members.push(`${quoteJson(key)}:${formatJson(value)}`);
  return `{${members.join(',')}}`;
}

function isNodeType(text: string): text is NodeType {
  return types.has(text as NodeType);
}

function formatAttribute({ name, value }: ExtendedAttribute): string {
  return `{"name":${quoteJson(name)},"value":"${base64(value)}"}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function parseNode(json: unknown): TreeNode {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new SyntaxError('a node is not an object');
  const members = new Members(json as Record<string, unknown>);
  const linkTarget = members.string('linktarget');
  const linkTargetRaw = members.string('linktarget_raw');
  const type = members.string('type') ?? '';
  if (!isNodeType(type)) throw new SyntaxError(`a node is of the unknown type ${JSON.stringify(type)}`);
  return withoutUndefined({
    name: unquoteName(members.needed('name')),
    type,
    mode: members.number('mode') ?? 0,
    mtime: members.needed('mtime'),
    atime: members.string('atime') ?? zeroTime,
    ctime: members.string('ctime') ?? zeroTime,
    uid: members.number('uid') ?? 0,
    gid: members.number('gid') ?? 0,
    user: members.string('user'),
    group: members.string('group'),
    inode: members.bigint('inode'),
    deviceId: members.bigint('device_id'),
    size: members.number('size'),
    links: members.number('links'),
    linkTarget: linkTargetRaw === undefined ? linkTarget : nameFromBytes(Buffer.from(linkTargetRaw, 'base64')),
    extendedAttributes: members.list('extended_attributes')?.map(parseAttribute),
    genericAttributes: members.object('generic_attributes'),
    device: members.bigint('device'),
    content: members.list('content')?.map(asId),
    subtree: members.idOrNone('subtree'),
    error: members.string('error'),
    extra: members.rest(),
  }) as unknown as TreeNode;
}

/** Go's zero time: what a node without that member has. */
const zeroTime = '0001-01-01T00:00:00Z';

function parseAttribute(json: unknown): ExtendedAttribute {
  const members = new Members(json as Record<string, unknown>);
  return { name: members.needed('name'), value: new Uint8Array(Buffer.from(members.string('value') ?? '', 'base64')) };
}

function asId(value: unknown): string {
  if (typeof value !== 'string' || !idForm.test(value)) throw new SyntaxError(`not an id: ${JSON.stringify(value)}`);
  return value;
}

function withoutUndefined(value: Record<string, unknown>): Record<string, unknown> {
  for (const key of Object.keys(value)) if (value[key] === undefined) delete value[key];
  return value;
}

/** Takes members out of an object, each of the type that is asked for; null counts as absent, as in Go. */
class Members {
  readonly #taken = new Set<string>();
  readonly #object: Record<string, unknown>;

  constructor(object: Record<string, unknown>) {
    this.#object = object;
  }

  string(key: string): string | undefined {
    return this.#take(key, (value) => typeof value === 'string') as string | undefined;
  }

  needed(key: string): string {
    const value = this.string(key);
    if (value === undefined) throw new SyntaxError(`a node has no ${key}`);
    return value;
  }

  number(key: string): number | undefined {
    return this.#take(key, (value) => Number.isSafeInteger(value) && (value as number) >= 0) as number | undefined;
  }

  bigint(key: string): bigint | undefined {
    const value = this.#take(key, (one) => typeof one === 'bigint' || Number.isSafeInteger(one)) as number | bigint | undefined;
    return value === undefined ? undefined : BigInt(value);
  }

  list(key: string): readonly unknown[] | undefined {
    return this.#take(key, (value) => Array.isArray(value)) as readonly unknown[] | undefined;
  }

  object(key: string): Record<string, unknown> | undefined {
    return this.#take(key, (value) => typeof value === 'object' && !Array.isArray(value)) as Record<string, unknown> | undefined;
  }

  idOrNone(key: string): string | undefined {
    const value = this.string(key);
    return value === undefined ? undefined : asId(value);
  }

  /** What nobody asked for. */
  rest(): Record<string, unknown> | undefined {
    const rest = Object.entries(this.#object).filter(([key]) => !this.#taken.has(key));
    return rest.length === 0 ? undefined : Object.fromEntries(rest);
  }

  #take(key: string, fits: (value: unknown) => boolean): unknown {
    this.#taken.add(key);
    const value = Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
    if (value === undefined || value === null) return undefined;
    if (!fits(value)) throw new SyntaxError(`${key} of a node can not be ${JSON.stringify(value, bigintsAsText).slice(0, 64)}`);
    return value;
  }
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
