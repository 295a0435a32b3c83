import type { Runtime } from '../../core/runtime.ts';
import { isRefusal, type Served } from './figures.ts';

/** Lines about refusals in one window: a stranger who asks and asks must not fill the disk. The rest is counted. */
const refusalsMax = 60;
const windowMs = 60_000;

export interface LoggedRequest extends Served {
  readonly path: string;
  readonly from: string | undefined;
  readonly user: string | undefined;
  readonly ms: number;
  /** What of the location, or of this program, was behind it. */
  readonly failure?: string;
}

/** One line for each request at level debug, and for those that were refused or failed at level warn. */
export class RequestLog {
  readonly #runtime: Runtime;
  #sinceMs: number;
  #lines = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#sinceMs = runtime.clock.monotonicMs();
  }

  add(request: LoggedRequest): void {
    const { clock, logger } = this.#runtime;
    if (!isRefusal(request.status) && request.failure === undefined) return logger.debug('rest.request.answered', { ...request });
    if (clock.monotonicMs() - this.#sinceMs >= windowMs) {
      if (this.#lines > refusalsMax) logger.warn('rest.refusals.unlogged', { requests: this.#lines - refusalsMax });
      this.#sinceMs = clock.monotonicMs();
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines <= refusalsMax)
      logger.warn(request.failure !== undefined ? 'rest.request.failed' : 'rest.request.refused', { ...request });
  }
}
