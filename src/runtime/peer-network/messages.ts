import { badMessage } from './frames.ts';

/** Changes whenever an older agent would misunderstand. */
export const protocolVersion = 1;

/** Who speaks; the first message of both sides. */
export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly cluster: string;
  readonly node: string;
  /** Of the running agent: tells an agent that meets itself from one that goes by the same name. */
  readonly instance: string;
}

export type Message =
  | Hello
  /** The other's hello was accepted. Once both have said so, the connection carries the rest. */
  | { readonly type: 'welcome' }
  /** It was not, or the connection is ended on purpose. */
  | { readonly type: 'reject'; readonly detail: string }
  /** The sender has a better connection and will end this one. */
  | { readonly type: 'bye'; readonly detail: string }
  /** Asks for a sign of life; the answer to it. */
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }
  | { readonly type: 'cast'; readonly kind: string; readonly body: unknown }
  | { readonly type: 'ask'; readonly id: number; readonly kind: string; readonly body: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly body: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly code: string; readonly message: string };

const textCharactersMax = 1_000;

/** @throws PEER_BAD_MESSAGE */
export function parseMessage(value: unknown): Message {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  switch (fields['type']) {
    case 'hello': {
      const [cluster, node, instance] = [text(fields, 'cluster'), text(fields, 'node'), text(fields, 'instance')];
      return { type: 'hello', protocol: count(fields, 'protocol'), cluster, node, instance };
    }
    case 'welcome':
    case 'ping':
    case 'pong':
      return { type: fields['type'] };
    case 'reject':
    case 'bye':
      return { type: fields['type'], detail: text(fields, 'detail') };
    case 'cast':
      return { type: 'cast', kind: kindOf(fields), body: fields['body'] };
    case 'ask':
      return { type: 'ask', id: count(fields, 'id'), kind: kindOf(fields), body: fields['body'] };
    case 'answer':
      return { type: 'answer', id: count(fields, 'id'), body: fields['body'] };
    case 'failure':
      return { type: 'failure', id: count(fields, 'id'), code: text(fields, 'code'), message: text(fields, 'message') };
    default:
      throw badMessage('a message of an unknown type');
  }
}

/** Kinds are constants of the code on both sides: `[a-z][a-zA-Z0-9.-]*`. */
export function isKind(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z][a-zA-Z0-9.-]{0,63}$/.test(value);
}

/** Free text cut to what `parseMessage` takes. */
export function cutText(free: string): string {
  return free.slice(0, textCharactersMax);
}

function kindOf(fields: Record<string, unknown>): string {
  const kind = fields['kind'];
  if (!isKind(kind)) throw badMessage('a message without a kind');
  return kind;
}

function text(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value.length > textCharactersMax) throw badMessage(`a ${String(fields['type'])} without its ${name}`);
  return value;
}

function count(fields: Record<string, unknown>, name: string): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw badMessage(`a ${String(fields['type'])} without its ${name}`);
  return value as number;
}
