import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { deadline } from '../../../core/deadline.ts';
import type { Runtime } from '../../../core/runtime.ts';
import type { ConnectedLocation } from '../../adapter.ts';
import { Calls } from '../../calls.ts';
import { alreadyExists, beyondEnd, damaged, notFound, unreachable, unsuitable } from '../../failures.ts';
import { assertKey, assertPrefix, assertRange, isKey, OBJECT_BYTES_MAX, objectBytes } from '../../key.ts';
import type { ByteRange, CallOptions, LocationCapabilities, LocationStatus, ObjectInfo } from '../../location.ts';
import { download, signBody, uploadBody } from './body.ts';
import { createClient, type S3Limits } from './client.ts';
import type { S3Config } from './config.ts';
import { explainS3, statusOf, wordOf } from './failure.ts';

/** How long a request may take: so much, and its bytes at no less than this speed. */
const requestMsMax = 60_000;
const bytesPerMsMin = 32;
/** An empty object beside all others, by a name that no key can have: whether it can be created twice tells what a store is able to. */
const PROBE = '~holdfast';

/** Objects of a bucket, below a prefix. */
export class S3Location implements ConnectedLocation {
  readonly name: string;
  readonly #config: S3Config;
  readonly #limits: S3Limits;
  readonly #prefix: string;
  readonly #runtime: Runtime;
  readonly #calls: Calls;
  #client: S3Client | undefined;
  /** Whether `If-None-Match: *` is honoured; undefined until it was tried. */
  #conditional: boolean | undefined;
  #versioned = false;

  constructor(name: string, config: S3Config, runtime: Runtime, limits: S3Limits) {
    this.name = name;
    this.#config = config;
    this.#limits = limits;
    this.#prefix = config.prefix === undefined || config.prefix === '' ? '' : `${config.prefix}/`;
    this.#runtime = runtime;
    this.#calls = new Calls(name, runtime.clock, (error) => explainS3(name, error));
    if (isAmazon(config)) this.#conditional = true;
  }

  get capabilities(): LocationCapabilities {
    return { conditionalCreate: this.#conditional ?? false, keepsOldVersions: this.#versioned };
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.#calls.run(signal, async () => {
      await this.#page('', undefined, signal, 1);
      await this.#probe(signal);
      // Not every key may ask that.
      const question = new GetBucketVersioningCommand({ Bucket: this.#config.bucket });
      const versioning = await this.#request(signal, 0, (client, options) => client.send(question, options)).catch(() => undefined);
      this.#versioned = versioning?.Status === 'Enabled';
    });
  }

  async put(
    key: string,
    data: readonly Uint8Array[],
    { signal, ifAbsent = false }: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<void> {
    assertKey(key);
    const sizeBytes = objectBytes(data);
    await this.#calls.run(signal, async () => {
      if (ifAbsent) await this.#probe(signal);
      const conditional = ifAbsent && this.#conditional === true;
      if (ifAbsent && !conditional && (await this.#look(key, signal)) !== undefined) throw alreadyExists(this.name, key);
      try {
        await this.#upload(this.#prefix + key, data, sizeBytes, conditional, signal);
      } catch (error) {
        if (conditional && statusOf(error) === 412) throw alreadyExists(this.name, key);
        throw error;
      }
    });
  }

  async get(key: string, { signal, range }: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    const end = range && range.offset + range.sizeBytes;
    return await this.#calls.run(signal, async () => {
      const command = new GetObjectCommand({
        Bucket: this.#config.bucket,
        Key: this.#prefix + key,
        ...(range !== undefined && { Range: `bytes=${range.offset}-${end! - 1}` }),
      });
      try {
        return await this.#request(signal, range?.sizeBytes ?? OBJECT_BYTES_MAX, async (client, options) =>
          this.#receive(key, await client.send(command, options), range),
        );
      } catch (error) {
        if (wordOf(error) === 'NoSuchKey') throw notFound(this.name, key);
        if (statusOf(error) === 416) throw damaged(this.name, key, `ends before byte ${end}`, error);
        throw error;
      }
    });
  }

  async stat(key: string, { signal }: CallOptions): Promise<ObjectInfo | undefined> {
    assertKey(key);
    return await this.#calls.run(signal, () => this.#look(key, signal));
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    let token: string | undefined;
    do {
      const page = await this.#calls.run(signal, () => this.#page(prefix, token, signal));
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const key = this.#keyOf(Key);
        if (key === undefined || !key.startsWith(prefix)) continue;
        signal.throwIfAborted();
        yield { key, sizeBytes: Size ?? 0, ...(LastModified !== undefined && { modifiedMs: LastModified.getTime() }) };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    assertKey(key);
    await this.#calls.run(signal, async () => {
      const command = new DeleteObjectCommand({ Bucket: this.#config.bucket, Key: this.#prefix + key });
      await this.#request(signal, 0, (client, options) => client.send(command, options));
    });
  }

  status(): LocationStatus {
    return this.#calls.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.settle();
    this.#client?.destroy();
  }

  /** One request, with a limit of time. @throws what the SDK throws; STORAGE_UNREACHABLE after the limit; the signal's reason */
  async #request<T>(
    signal: AbortSignal,
    sizeBytes: number,
    send: (client: S3Client, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const limitMs = requestMsMax + sizeBytes / bytesPerMsMin;
    using limit = deadline(
      this.#runtime.clock,
      limitMs,
      () => unreachable(this.name, `no answer within ${Math.round(limitMs / 1000)} s`),
      signal,
    );
    this.#client ??= createClient(this.name, this.#config, this.#limits);
    try {
      return await send(this.#client, { abortSignal: limit.signal });
    } catch (error) {
      limit.signal.throwIfAborted();
      throw error;
    }
  }

  async #upload(fullKey: string, data: readonly Uint8Array[], sizeBytes: number, ifNoneMatch: boolean, signal: AbortSignal): Promise<void> {
    const { bucket, storageClass } = this.#config;
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: fullKey,
      Body: uploadBody(data, sizeBytes),
      ContentLength: sizeBytes,
      ContentType: 'application/octet-stream',
      ...(ifNoneMatch && { IfNoneMatch: '*' }),
      ...(storageClass !== undefined && { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    });
    signBody(command, data);
    await this.#request(signal, sizeBytes, (client, options) => client.send(command, options));
  }

  /** The bytes of an answer, no fewer than it was asked for and no more. */
  async #receive(key: string, answer: GetObjectCommandOutput, range: ByteRange | undefined): Promise<Uint8Array> {
    const body = answer.Body as (AsyncIterable<Uint8Array> & { destroy?(): void }) | undefined;
    try {
      const sizeBytes = answer.ContentLength;
      if (body === undefined || sizeBytes === undefined) throw unsuitable(this.name, `its answer for ${key} does not say how long it is`);
      if (range === undefined && sizeBytes > OBJECT_BYTES_MAX)
        throw unsuitable(this.name, `${key} has ${sizeBytes} bytes, more than an object has`);
      if (range !== undefined) this.#assertPart(key, answer, range);
      const { bytes, received } = await download(body, sizeBytes);
      if (received !== sizeBytes) throw unreachable(this.name, `${received} of the ${sizeBytes} bytes of ${key} came`);
      return bytes;
    } finally {
      body?.destroy?.();
    }
  }

  /** That the answer is the part that was asked for. */
  #assertPart(key: string, { ContentRange, ContentLength }: GetObjectCommandOutput, { offset, sizeBytes }: ByteRange): void {
    const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(ContentRange ?? '') ?? [];
    if (first === undefined || Number(first) !== offset || ContentLength !== Number(last) - offset + 1)
      throw unsuitable(this.name, `asked for a part of ${key}, it answers with ${ContentRange ?? 'the whole'}`);
    if (ContentLength < sizeBytes) throw beyondEnd(this.name, key, offset + sizeBytes, Number(total));
    if (ContentLength > sizeBytes) throw unsuitable(this.name, `asked for ${sizeBytes} bytes of ${key}, it answers with ${ContentLength}`);
  }

  async #look(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    const command = new HeadObjectCommand({ Bucket: this.#config.bucket, Key: this.#prefix + key });
    try {
      const { ContentLength, LastModified } = await this.#request(signal, 0, (client, options) => client.send(command, options));
      return { key, sizeBytes: ContentLength ?? 0, ...(LastModified !== undefined && { modifiedMs: LastModified.getTime() }) };
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      await this.#assertBucket(key, signal);
      return undefined;
    }
  }

  /** Whether it was the object or the whole bucket that a HEAD, whose answers have no words, did not find. */
  async #assertBucket(key: string, signal: AbortSignal): Promise<void> {
    const command = new GetObjectCommand({ Bucket: this.#config.bucket, Key: this.#prefix + key, Range: 'bytes=0-0' });
    await this.#request(signal, 0, async (client, options) => {
      const { Body } = await client.send(command, options);
      (Body as { destroy?(): void } | undefined)?.destroy?.();
    }).catch((error: unknown) => {
      if (wordOf(error) !== 'NoSuchKey' && statusOf(error) !== 416) throw error;
    });
  }

  async #page(prefix: string, token: string | undefined, signal: AbortSignal, keysMax?: number): Promise<ListObjectsV2CommandOutput> {
    const command = new ListObjectsV2Command({
      Bucket: this.#config.bucket,
      Prefix: this.#prefix + prefix,
      // What others have stored may have characters that XML has not.
      EncodingType: 'url',
      ...(token !== undefined && { ContinuationToken: token }),
      ...(keysMax !== undefined && { MaxKeys: keysMax }),
    });
    const page = await this.#request(signal, 0, (client, options) => client.send(command, options));
    if (page.IsTruncated === true && (page.NextContinuationToken ?? token) === token)
      throw unsuitable(this.name, 'its list has another page and does not say how to get it');
    return page;
  }

  /** Ours, without the prefix; undefined of what others have stored. */
  #keyOf(encoded: string | undefined): string | undefined {
    // A key has no character that would be encoded, but the slash, which some stores do encode.
    const full = encoded?.replaceAll('%2F', '/');
    const key = full?.startsWith(this.#prefix) === true ? full.slice(this.#prefix.length) : '';
    return isKey(key) ? key : undefined;
  }

  /**
   * Finds out whether the store creates conditionally: of two conditional creations of one object the second must be refused. The object is
   * kept, so that the next one who asks needs one request.
   */
  async #probe(signal: AbortSignal): Promise<void> {
    for (let created = 0; this.#conditional === undefined && created < 2; created += 1) {
      try {
        await this.#upload(this.#prefix + PROBE, [], 0, true, signal);
      } catch (error) {
        const status = statusOf(error);
        if (status === 412) this.#conditional = true;
        else if (status === 501 || wordOf(error) === 'NotImplemented') this.#conditional = false;
        // Who may not write needs not know.
        else if (status === 403) return;
        else throw error;
      }
    }
    this.#conditional ??= false;
  }
}

function isAmazon({ endpoint }: S3Config): boolean {
  return endpoint === undefined || /(?:^|\.)amazonaws\.com(?:\.cn)?$/.test(new URL(endpoint).hostname);
}
