import type { Clock } from '../../core/clock.ts';
import { hasCode } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { ByteRange, CallOptions, Location } from '../../storage/index.ts';
import { configKey, objectKey, sha256 } from '../documents/ids.ts';
import type { FileId, FileKind } from '../repository.ts';
import { Room } from '../workers/room.ts';
import { answer, answerOfFailure, Refusal, type RestAnswer } from './answer.ts';
import { parseRange } from './byte-range.ts';
import { begun, listingJson, mediaTypes, versionFor } from './listing.ts';
import { SizeBound } from './size-bound.ts';
import { Recent } from './recent.ts';
import { parseRestTarget, type RestTarget } from './rest-target.ts';
import { mostBytes, placeFor, receive, type Upload, type UploadLimits } from './upload.ts';

/** A request as any HTTP server has it. */
export interface RestRequest {
  readonly method: string;
  /** Path and query, as they came. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** What clients may do: everything; only add (and remove locks, without which nobody could add twice); only read, and not even lock. */
export type RestMode = 'full' | 'append-only' | 'read-only';

export interface RestLimits extends Omit<UploadLimits, 'bytesMax'> {
  /** Bytes of a pack, index or snapshot. restic makes packs of up to 128 MiB and a blob. */
  readonly objectBytesMax: number;
  /** Bytes of a config, key or lock. */
  readonly smallBytesMax: number;
  /** Bytes of all bodies that are under way at once, of those that come and of those that go each. One larger than this goes alone. */
  readonly roomBytes: number;
}

export interface RestOptions {
  /** Default: full. */
  readonly mode?: RestMode;
  readonly limits?: Partial<RestLimits>;
  /** Bytes that the location may hold; what would be beyond is refused. */
  readonly storedBytesMax?: number | undefined;
}

const limitsDefault: RestLimits = {
  objectBytesMax: 256 * 1024 * 1024,
  smallBytesMax: 1024 * 1024,
  roomBytes: 64 * 1024 * 1024,
  waitMsMax: 60_000,
  bodyMs: 60_000,
  bytesPerSecondMin: 8 * 1024,
};

/** Kinds of files that are small whatever the size of the repository. */
const smallKinds: readonly FileKind[] = ['key', 'lock'];

/** How long an object that was read as a whole is taken to be as it was. */
const judgedMsMax = 86_400_000;

const binary = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' };

/**
 * Offers a location over restic's REST protocol, versions 1 and 2 (restic/restic, doc/REST_backend.rst): to be reached as `rest:http://HOST:PORT/`.
 * Nothing of it needs the repository's password.
 *
 * What comes is seen by nobody before it came whole and its SHA-256 is its name; `config`, which has another name, is only ever created. What is
 * there already is left as it is, and the same bytes once more are no failure: answers get lost, and clients ask again. A copy that
 * turns out to be damaged then is replaced. Removing what is not there is no failure either. Where damage shows only when a whole object is
 * read, that is done once before a part of it is given.
 */
export class RestService {
  readonly #location: Location;
  readonly #runtime: Runtime;
  readonly #mode: RestMode;
  readonly #limits: RestLimits;
  readonly #coming: Room;
  readonly #going: Room;
  readonly #bound: SizeBound | undefined;
  readonly #sizes = new Recent<number>();
  /** When objects were last read as a whole, of which no part is to be given unread. */
  readonly #judgedMs = new Recent<number>();

  constructor(location: Location, runtime: Runtime, { mode = 'full', limits = {}, storedBytesMax }: RestOptions = {}) {
    this.#location = location;
    this.#runtime = runtime;
    this.#mode = mode;
    this.#limits = { ...limitsDefault, ...limits };
    this.#coming = new Room(this.#limits.roomBytes);
    this.#going = new Room(this.#limits.roomBytes);
    this.#bound = storedBytesMax === undefined ? undefined : new SizeBound(location, storedBytesMax, runtime.clock);
  }

  /** Never rejects but with the signal's reason: what fails is an answer, too. */
  async answer(request: RestRequest, options: CallOptions): Promise<RestAnswer> {
    try {
      const target = parseRestTarget(request.url);
      if (target === undefined) throw new Refusal(404, 'there is nothing of that name in a repository');
      return await this.#answer(request, target, options);
    } catch (error) {
      options.signal.throwIfAborted();
      return answerOfFailure(error);
    }
  }

  #answer(request: RestRequest, target: RestTarget, options: CallOptions): Promise<RestAnswer> {
    const handlers = this.#handlers(request, target, options);
    const handler = Object.hasOwn(handlers, request.method) ? handlers[request.method] : undefined;
    if (handler === undefined) throw new Refusal(405, 'this can not be done here', { allow: Object.keys(handlers).join(', ') });
    if (request.method === 'POST' || request.method === 'DELETE') this.#assertAllowed(request.method, target);
    return handler();
  }

  #handlers(request: RestRequest, target: RestTarget, options: CallOptions): Readonly<Record<string, () => Promise<RestAnswer>>> {
    switch (target.what) {
      case 'repository':
        return { POST: () => this.#prepare(options), DELETE: refuseToDestroy };
      case 'config':
        return {
          HEAD: () => this.#look(configKey, options),
          GET: () => this.#read(configKey, request, options),
          POST: () => this.#createConfig(request, options),
          DELETE: () => this.#remove(configKey, options),
        };
      case 'folder':
        return { GET: () => this.#list(target.kind, request, options) };
      case 'file': {
        const key = objectKey(target.kind, target.id);
        return {
          HEAD: () => this.#look(key, options),
          GET: () => this.#read(key, request, options),
          POST: () => this.#save(target, key, request, options),
          DELETE: () => this.#remove(key, options),
        };
      }
    }
  }

  #assertAllowed(method: 'POST' | 'DELETE', target: RestTarget): void {
    if (this.#mode === 'read-only') throw new Refusal(403, 'this server only lets read; with --no-lock restic does nothing else');
    const isLock = target.what === 'file' && target.kind === 'lock';
    if (this.#mode === 'append-only' && method === 'DELETE' && !isLock)
      throw new Refusal(403, 'this server lets nothing be removed but locks');
  }

  /** There are no folders to be made; that the location answers is worth knowing. */
  async #prepare(options: CallOptions): Promise<RestAnswer> {
    await this.#location.stat(configKey, options);
    return answer(200);
  }

  async #look(key: string, options: CallOptions): Promise<RestAnswer> {
    const info = await this.#location.stat(key, options);
    if (info === undefined) throw notThere();
    return answer(200, { headers: { ...binary, 'content-length': String(info.sizeBytes) } });
  }

  async #list(kind: FileKind, { headers }: RestRequest, options: CallOptions): Promise<RestAnswer> {
    const version = versionFor(headers['accept']);
    const body = await begun(listingJson(this.#location, kind, version, options));
    return answer(200, { headers: { 'content-type': mediaTypes[version] }, body });
  }

  async #read(key: string, { headers: { range: wanted } }: RestRequest, options: CallOptions): Promise<RestAnswer> {
    const sizeBytes = await this.#sizeOf(key, options);
    const range = parseRange(wanted, sizeBytes);
    const isJudged = this.#isJudged(key);
    if (range === 'beyond' && isJudged) throw beyond(sizeBytes);
    const part = range === 'beyond' || range?.sizeBytes === sizeBytes ? undefined : range;
    const held = await this.#place(this.#going, part !== undefined && isJudged ? part.sizeBytes : sizeBytes, options);
    try {
      const whole = part !== undefined && isJudged ? undefined : await this.#whole(key, part !== undefined, options);
      if (whole !== undefined) return wholeAnswer(whole, wanted, held);
      return partAnswer(await this.#location.get(key, { ...options, range: part! }), part!, sizeBytes, held);
    } catch (error) {
      held[Symbol.dispose]();
      this.#sizes.forget(key);
      throw error;
    }
  }

  /** Whether a part of an object may be read by itself: a location with several copies tells a damaged one only when it reads the whole. */
  #isJudged(key: string): boolean {
    if (this.#location.capabilities.judgesOnlyWholes !== true || key === configKey) return true;
    const sinceMs = this.#judgedMs.get(key);
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs < judgedMsMax;
  }

  /** Undefined where no copy of it is good, and a part is enough: that may be good all the same. */
  async #whole(key: string, isPartEnough: boolean, options: CallOptions): Promise<Uint8Array | undefined> {
    try {
      const whole = await this.#location.get(key, options);
      this.#judgedMs.set(key, this.#clock.monotonicMs());
      return whole;
    } catch (error) {
      if (isPartEnough && hasCode(error, 'STORAGE_DAMAGED')) return undefined;
      throw error;
    }
  }

  /** What is named by its content has one size for ever, so it is asked once. */
  async #sizeOf(key: string, options: CallOptions): Promise<number> {
    const known = key === configKey ? undefined : this.#sizes.get(key);
    if (known !== undefined) return known;
    const info = await this.#location.stat(key, options);
    if (info === undefined) throw notThere();
    this.#sizes.set(key, info.sizeBytes);
    return info.sizeBytes;
  }

  async #createConfig(request: RestRequest, options: CallOptions): Promise<RestAnswer> {
    using upload = await this.#receive(request, this.#limits.smallBytesMax, options);
    try {
      await this.#location.put(configKey, upload.data, { ...options, ifAbsent: true });
    } catch (error) {
      if (hasCode(error, 'STORAGE_EXISTS')) throw new Refusal(403, 'there is a repository already');
      throw error;
    }
    return answer(200);
  }

  async #save({ kind, id }: { kind: FileKind; id: FileId }, key: string, request: RestRequest, options: CallOptions): Promise<RestAnswer> {
    const bytesMax = smallKinds.includes(kind) ? this.#limits.smallBytesMax : this.#limits.objectBytesMax;
    // Who is to make room needs a lock for that.
    using allowed = kind === 'lock' ? undefined : await this.#bound?.take(mostBytes(request, { bytesMax }), options);
    using upload = await this.#receive(request, bytesMax, options);
    if (upload.sha256 !== id) throw await this.#misnamed(key, options);
    try {
      await this.#location.put(key, upload.data, { ...options, ifAbsent: true });
      allowed?.keep(upload.sizeBytes);
    } catch (error) {
      if (!hasCode(error, 'STORAGE_EXISTS')) throw error;
      await this.#settle(key, id, upload, options);
    }
    return answer(200);
  }

  /** As rest-server answers: to overwrite something is forbidden, what would be new is wrong. */
  async #misnamed(key: string, options: CallOptions): Promise<Refusal> {
    const isThere = (await this.#location.stat(key, options)) !== undefined;
    return isThere
      ? new Refusal(403, 'it is there already, and nothing is overwritten')
      : new Refusal(400, 'the SHA-256 of what came is not its name');
  }

  /** It is there already: the same, or damaged. */
  async #settle(key: string, id: FileId, upload: Upload, options: CallOptions): Promise<void> {
    using _place = await this.#place(this.#going, upload.sizeBytes, options);
    try {
      if (sha256(await this.#location.get(key, options)) === id) return;
    } catch (error) {
      if (!hasCode(error, 'STORAGE_DAMAGED') && !hasCode(error, 'STORAGE_NOT_FOUND')) throw error;
    }
    await this.#location.put(key, upload.data, options);
    this.#sizes.forget(key);
    this.#runtime.logger.warn('rest.object.healed', { location: this.#location.name, key });
  }

  async #remove(key: string, options: CallOptions): Promise<RestAnswer> {
    this.#sizes.forget(key);
    const freed = this.#bound && (await this.#location.stat(key, options));
    await this.#location.remove(key, options);
    this.#bound?.removed(freed?.sizeBytes ?? 0);
    return answer(200);
  }

  #receive(request: RestRequest, bytesMax: number, { signal }: CallOptions): Promise<Upload> {
    return receive(request, { ...this.#limits, bytesMax }, { room: this.#coming, clock: this.#clock, signal });
  }

  #place(room: Room, bytes: number, { signal }: CallOptions): Promise<Disposable> {
    return placeFor(bytes, this.#limits, { room, clock: this.#clock, signal });
  }

  get #clock(): Clock {
    return this.#runtime.clock;
  }
}

/** An object that is there as a whole, or what of it is wanted. */
function wholeAnswer(whole: Uint8Array, wanted: string | undefined, held: Disposable): RestAnswer {
  const range = parseRange(wanted, whole.byteLength);
  if (range === undefined) return answer(200, { headers: binary, body: whole, held });
  if (range === 'beyond') throw beyond(whole.byteLength);
  return partAnswer(whole.subarray(range.offset, range.offset + range.sizeBytes), range, whole.byteLength, held);
}

function partAnswer(body: Uint8Array, { offset }: ByteRange, sizeBytes: number, held: Disposable): RestAnswer {
  const contentRange = `bytes ${offset}-${offset + body.byteLength - 1}/${sizeBytes}`;
  return answer(206, { headers: { ...binary, 'content-range': contentRange }, body, held });
}

function beyond(sizeBytes: number): Refusal {
  return new Refusal(416, `it has ${sizeBytes} bytes`, { 'content-range': `bytes */${sizeBytes}` });
}

function notThere(): Refusal {
  return new Refusal(404, 'not found');
}

async function refuseToDestroy(): Promise<RestAnswer> {
  throw new Refusal(501, 'a whole repository is not removed over this protocol');
}
