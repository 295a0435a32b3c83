import type { CallOptions, EtcdClient } from './client.ts';
import { CallFailure, grpcStatus, toHoldfastError } from './failure.ts';
import type { KeyRange, KeyValue } from './messages.ts';

/** Keys read at once: with values of 256 KiB a page stays under MESSAGE_BYTES_MAX. */
const PAGE_KEYS = 100;
/** Most keys that one listing may have: beyond it someone else fills our prefix. */
const LISTED_KEYS_MAX = 100_000;
/** How often a listing begins anew because its revision was compacted between two pages. */
const LISTING_TRIES_MAX = 5;

/** All of a range by key, as of one revision. @throws as EtcdClient.read */
export async function readAll(
  client: EtcdClient,
  range: KeyRange,
  options: CallOptions,
): Promise<{ revision: bigint; entries: KeyValue[] }> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await readPages(client, range, options);
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      if (error.status !== grpcStatus.outOfRange || tries === LISTING_TRIES_MAX) throw toHoldfastError(error);
    }
  }
}

async function readPages(client: EtcdClient, range: KeyRange, options: CallOptions): Promise<{ revision: bigint; entries: KeyValue[] }> {
  const first = await client.read({ ...range, limit: PAGE_KEYS }, options);
  const { revision } = first.header;
  const entries = [...first.entries];
  for (let { more } = first; more;) {
    if (entries.length > LISTED_KEYS_MAX) throw new CallFailure('nonsense', `more than ${LISTED_KEYS_MAX} keys below ${range.key}`);
    const page = await client.read({ ...range, key: `${entries.at(-1)!.key}\0`, limit: PAGE_KEYS, revision }, options);
    entries.push(...page.entries);
    // An empty page that promises more would go on for ever.
    more = page.more && page.entries.length > 0;
  }
  return { revision, entries };
}
