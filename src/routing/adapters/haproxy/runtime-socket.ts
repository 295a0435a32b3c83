import { connect } from 'node:net';
import { HoldfastError } from '../../../core/errors.ts';

/** The statistics of thousands of servers; more is not HAProxy speaking. */
const answerBytesMax = 4 * 1024 * 1024;

/**
 * HAProxy's runtime socket (its management guide, "Unix Socket commands"): one line of commands per connection, answered in text, then closed.
 */
export class RuntimeSocket {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param commands performed in order, in one go; none may contain `;`, `\` or a line break
   * @returns all that HAProxy says, its complaints included
   * @throws ROUTER_PROGRAM_UNREACHABLE, ROUTER_PROGRAM_DENIED, the signal's reason
   */
  async ask(commands: readonly string[], signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect(this.#path);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    const chunks: Buffer[] = [];
    let size = 0;
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > answerBytesMax) reject(this.#unreachable('it does not stop talking'));
      else chunks.push(chunk);
    });
    socket.on('end', () => resolve(Buffer.concat(chunks).toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => reject(this.#failure(error)));
    socket.on('close', () => reject(this.#unreachable('it closed the connection')));
    socket.write(`${commands.join('; ')}\n`);
    try {
      const text = await promise;
      if (/^(?:Permission denied|Unknown command)/m.test(text)) throw this.#denied(text);
      return text;
    } finally {
      signal.removeEventListener('abort', abort);
      socket.destroy();
    }
  }

  #failure(cause: NodeJS.ErrnoException): HoldfastError {
    if (cause.code === 'EACCES' || cause.code === 'EPERM') {
      return new HoldfastError('ROUTER_PROGRAM_DENIED', `HAProxy's socket ${this.#path} may not be opened by this user`, {
        hint: "Give the socket's line in haproxy.cfg a mode and group that let the agent in, for example 'mode 660 group haproxy'.",
        cause,
      });
    }
    return this.#unreachable(
      cause.code === 'ENOENT' ? 'there is no such socket' : cause.code === 'ECONNREFUSED' ? 'nobody listens there' : cause.message,
      cause,
    );
  }

  #unreachable(why: string, cause?: unknown): HoldfastError {
    return new HoldfastError('ROUTER_PROGRAM_UNREACHABLE', `HAProxy does not answer at ${this.#path}: ${why}`, {
      retryable: true,
      hint: `Start HAProxy, with 'stats socket ${this.#path} level admin' in the global section of haproxy.cfg.`,
      cause,
    });
  }

  #denied(text: string): HoldfastError {
    return new HoldfastError('ROUTER_PROGRAM_DENIED', `HAProxy refuses commands at ${this.#path}: ${text.trim().split('\n')[0]}`, {
      hint: "Add 'level admin' to the socket's line in haproxy.cfg.",
    });
  }
}
