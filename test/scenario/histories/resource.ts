import type { ChildProcess } from 'node:child_process';

/** An act on what is protected, from a client's process to the one that owns it, and the answer. */
interface Act {
  readonly act: number;
  readonly key: string;
  readonly token: string;
}
interface Answer {
  readonly act: number;
  readonly accepted: boolean;
}

/** What locks protect: takes acts in the order in which they arrive, and refuses a token lower than one it has seen. */
export class Resource {
  readonly #highest = new Map<string, bigint>();
  accepted = 0;
  /** By holders that were stopped between looking and acting. */
  refused = 0;

  /** Serves a client's process. */
  serve(client: ChildProcess): void {
    client.on('message', (message: Act | string) => {
      if (typeof message === 'string') return;
      const { act, key, token } = message;
      const answer: Answer = { act, accepted: this.#accept(key, BigInt(token)) };
      // It may have been killed meanwhile.
      if (client.connected) client.send(answer, () => {});
    });
  }

  #accept(key: string, token: bigint): boolean {
    const accepted = token >= (this.#highest.get(key) ?? 0n);
    if (accepted) this.#highest.set(key, token);
    this[accepted ? 'accepted' : 'refused'] += 1;
    return accepted;
  }
}

/** The resource, as a client's process reaches it. */
export class FarResource {
  readonly #open = new Map<number, (accepted: boolean) => void>();
  #acts = 0;

  constructor() {
    process.on('message', (message: Answer | string) => {
      if (typeof message === 'string') return;
      this.#open.get(message.act)?.(message.accepted);
      this.#open.delete(message.act);
    });
  }

  act(key: string, token: bigint): Promise<boolean> {
    const act: Act = { act: (this.#acts += 1), key, token: String(token) };
    return new Promise((resolve) => {
      this.#open.set(act.act, resolve);
      process.send!(act);
    });
  }
}
