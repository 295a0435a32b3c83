import type { MessagePort } from 'node:worker_threads';
import type { Entry, Expectation, SwapResult, Ticket, WatchEvent } from '../../store.ts';
import type { Host } from './host.ts';

/** What the worker does for the store, each in one transaction. Arguments and results are cloned between the threads. */
export interface Operations {
  openSession(id: string, name: string, ttlMs: number): void;
  /** False: gone. */
  renewSession(id: string): boolean;
  endSession(id: string): void;
  isSessionAlive(id: string): boolean;
  get(key: string): Entry | undefined;
  list(prefix: string): Entry[];
  swap(key: string, value: string, expect: Expectation, sessionId: string | undefined): SwapResult | 'session-lost';
  remove(key: string, expect: bigint): boolean;
  /** The place's number: order and token in one. */
  enqueue(queue: string, label: string, sessionId: string): bigint | 'session-lost';
  queue(queue: string): Ticket[];
  leave(place: bigint): void;
  /** What happened to a key and below after a revision (undefined: a first snapshot). `wait`: nothing yet. */
  watch(key: string, after: bigint | undefined): { events: WatchEvent[]; revision: bigint } | Wait;
  untilGone(place: bigint): true | Wait;
}

/** The answer comes later, once something has changed. */
export type Wait = 'wait';

export type OperationName = keyof Operations;

export type Request = {
  [Name in OperationName]: { readonly id: number; readonly name: Name; readonly args: Parameters<Operations[Name]> };
}[OperationName];

/** From the client to the worker. `unannounced`: changes by others will not be announced by the bell. */
export type ToWorker = Request | { readonly cancel: number } | 'unannounced' | 'close';

/** From the worker: first `opened`, then answers. It ends when it is told to, and with `refused` when it can not go on. */
export type FromWorker =
  | 'opened'
  | { readonly refused: Failure }
  | { readonly id: number; readonly value: unknown }
  /** No answer to this one will come any more. */
  | { readonly cancelled: number };

/** A HoldfastError to be, across threads. */
export interface Failure {
  readonly code: 'COORD_UNREACHABLE' | 'COORD_UNSUITABLE' | 'COORD_DENIED';
  readonly message: string;
  readonly hint: string;
}

export interface WorkerStart {
  readonly file: string;
  readonly host: Host;
  readonly port: MessagePort;
  /** Set to 1 and notified by the client with each message, and when somebody writes to the file: the worker sleeps on it. */
  readonly bell: Int32Array;
}
