import { linked } from '../../core/deadline.ts';
import type { Repository, RepositoryWriter } from '../repository.ts';

/**
 * A writer that is waited for only where something is to be saved: a lock takes a while to settle, in which files can be looked at. What the
 * repository says meanwhile of the blobs that it has holds no longer where `repository.indexLosses` grew until the writer is there.
 */
export class LateWriter implements Pick<RepositoryWriter, 'saveBlob' | 'signal'>, AsyncDisposable {
  readonly #opening: Promise<RepositoryWriter>;
  readonly #end: ReturnType<typeof linked>;

  constructor(repository: Repository, signal: AbortSignal) {
    this.#end = linked(signal);
    this.#opening = repository.write({ signal });
    this.#opening.then(
      (writer) => this.#follow(writer.signal),
      (error: Error) => this.#end.abort(error),
    );
  }

  /** Aborts when there will be no writer, or it can not go on. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** @throws what `repository.write` throws */
  get(): Promise<RepositoryWriter> {
    return this.#opening;
  }

  readonly saveBlob: RepositoryWriter['saveBlob'] = async (type, data) => await (await this.#opening).saveBlob(type, data);

  #follow(signal: AbortSignal): void {
    if (signal.aborted) this.#end.abort(signal.reason as Error);
    else signal.addEventListener('abort', () => this.#end.abort(signal.reason as Error), { once: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const writer = await this.#opening.catch(() => undefined);
    await writer?.[Symbol.asyncDispose]();
    this.#end[Symbol.dispose]();
  }
}
