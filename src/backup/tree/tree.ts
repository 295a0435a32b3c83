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

type Draft = { -readonly [Member in keyof TreeNode]: TreeNode[Member] };

/** Go's zero time: what a node without that member has. */
const zeroTime = '0001-01-01T00:00:00Z';

/** How each member is taken over. Looked up in a map: trees of a million files have twenty million of them. */
const members: ReadonlyMap<string, (node: Draft, value: unknown) => void> = new Map(
  Object.entries({
    name: (node: Draft, value: unknown) => void (node.name = unquoteName(asString('name', value))),
    type: (node, value) => void (node.type = asType(asString('type', value))),
    mode: (node, value) => void (node.mode = asNumber('mode', value)),
    mtime: (node, value) => void (node.mtime = asString('mtime', value)),
    atime: (node, value) => void (node.atime = asString('atime', value)),
    ctime: (node, value) => void (node.ctime = asString('ctime', value)),
    uid: (node, value) => void (node.uid = asNumber('uid', value)),
    gid: (node, value) => void (node.gid = asNumber('gid', value)),
    user: (node, value) => void (node.user = asString('user', value)),
    group: (node, value) => void (node.group = asString('group', value)),
    inode: (node, value) => void (node.inode = asBigint('inode', value)),
    device_id: (node, value) => void (node.deviceId = asBigint('device_id', value)),
    size: (node, value) => void (node.size = asNumber('size', value)),
    links: (node, value) => void (node.links = asNumber('links', value)),
    linktarget: (node, value) => void (node.linkTarget ??= asString('linktarget', value)),
    linktarget_raw: (node, value) => void (node.linkTarget = nameFromBytes(Buffer.from(asString('linktarget_raw', value), 'base64'))),
    extended_attributes: (node, value) => void (node.extendedAttributes = asList('extended_attributes', value).map(parseAttribute)),
    generic_attributes: (node, value) => void (node.genericAttributes = asObject('generic_attributes', value)),
    device: (node, value) => void (node.device = asBigint('device', value)),
    content: (node, value) => void (node.content = asList('content', value).map(asId)),
    subtree: (node, value) => void (node.subtree = asId(value)),
    error: (node, value) => void (node.error = asString('error', value)),
  } satisfies Record<string, (node: Draft, value: unknown) => void>),
);

function parseNode(json: unknown): TreeNode {
  const object = asObject('node', json);
  const node: Draft = { name: '', type: '', mode: 0, mtime: '', atime: zeroTime, ctime: zeroTime, uid: 0, gid: 0 };
  let extra: Record<string, unknown> | undefined;
  for (const key of Object.keys(object)) {
    const value = object[key];
    const take = members.get(key);
    if (take === undefined) (extra ??= {})[key] = value;
    // It counts as absent, as in Go.
    else if (value !== null) take(node, value);
  }
  for (const key of ['name', 'mtime']) if (object[key] === undefined || object[key] === null) throw new SyntaxError(`a node has no ${key}`);
  return extra === undefined ? node : { ...node, extra };
}

function parseAttribute(json: unknown): ExtendedAttribute {
  const { name, value } = asObject('extended attribute', json);
  return {
    name: asString('name', name ?? null),
    value: new Uint8Array(Buffer.from(value === null || value === undefined ? '' : asString('value', value), 'base64')),
  };
}

function asId(value: unknown): string {
  if (typeof value !== 'string' || !idForm.test(value)) throw new SyntaxError(`not an id: ${JSON.stringify(value, bigintsAsText)}`);
  return value;
}

function asType(text: string): NodeType {
  if (!isNodeType(text)) throw new SyntaxError(`a node is of the unknown type ${JSON.stringify(text)}`);
  return text;
}

function asString(key: string, value: unknown): string {
  return typeof value === 'string' ? value : unfit(key, value);
}

function asNumber(key: string, value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : unfit(key, value);
}

function asBigint(key: string, value: unknown): bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value) ? BigInt(value as number | bigint) : unfit(key, value);
}

function asList(key: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : unfit(key, value);
}

function asObject(key: string, value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : unfit(key, value);
}

function unfit(key: string, value: unknown): never {
  throw new SyntaxError(`${key} of a node can not be ${JSON.stringify(value, bigintsAsText).slice(0, 64)}`);
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
