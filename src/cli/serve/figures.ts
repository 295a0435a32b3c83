import type { AgentControl } from '../../api/control.ts';
import type { RestTarget } from '../../backup/index.ts';
import type { LocationStatus } from '../../storage/index.ts';

type Sample = ReturnType<AgentControl['metrics']>[number];

/** A request that was answered. */
export interface Served {
  /** One of the protocol's; others are `other`: strangers must not make up labels. */
  readonly method: string;
  readonly kind: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const methods = ['GET', 'HEAD', 'POST', 'DELETE'];

/** The label of a method that anybody may have sent. */
export function methodLabel(method: string): string {
  return methods.includes(method) ? method : 'other';
}

/** The label of what a request was about. */
export function kindLabel(target: RestTarget | undefined): string {
  if (target === undefined) return 'other';
  return 'kind' in target ? target.kind : target.what;
}

/** What a server has done since it began. */
export class Figures {
  readonly #requests = new Map<string, { readonly labels: Record<string, string>; count: number }>();
  #requestCount = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #refused = 0;

  add({ method, kind, status, bytesIn, bytesOut }: Served): void {
    const labels = { method, kind, status: String(status) };
    const key = Object.values(labels).join(' ');
    const known = this.#requests.get(key) ?? { labels, count: 0 };
    known.count += 1;
    this.#requests.set(key, known);
    this.#requestCount += 1;
    this.#bytesIn += bytesIn;
    this.#bytesOut += bytesOut;
    if (isRefusal(status)) this.#refused += 1;
  }

  totals(): { readonly requests: number; readonly refused: number; readonly bytesIn: number; readonly bytesOut: number } {
    return { requests: this.#requestCount, refused: this.#refused, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut };
  }

  /** For Prometheus. */
  samples(location: LocationStatus): Sample[] {
    const bytes = 'Bytes of objects that came (in) and went (out)';
    return [
      ...[...this.#requests.values()].map(({ labels, count }) =>
        counter('rest_requests_total', 'Requests that were answered', labels, count),
      ),
      counter('rest_bytes_total', bytes, { direction: 'in' }, this.#bytesIn),
      counter('rest_bytes_total', bytes, { direction: 'out' }, this.#bytesOut),
      counter('rest_refused_total', 'Requests that were refused', {}, this.#refused),
      ...allOf(location).flatMap(locationSamples),
    ];
  }
}

/** Statuses that are answers: something is not there, or nobody waited for it. */
const noRefusals = [404, 416, 499];

/** Whether that status says that somebody was not allowed to, or that it did not work. */
export function isRefusal(status: number): boolean {
  return status >= 400 && !noRefusals.includes(status);
}

/** A location and what it is made of. */
export function allOf(status: LocationStatus): LocationStatus[] {
  return [status, ...status.parts.flatMap(allOf)];
}

function locationSamples({ name, state, behindObjects, behindBytes }: LocationStatus): Sample[] {
  const labels = { location: name };
  return [
    gauge('location_ok', 'Whether this location, or part of one, has all and answers', labels, Number(state === 'ok')),
    gauge('location_behind_objects', 'Changes that it has not got yet', labels, behindObjects),
    gauge('location_behind_bytes', 'Bytes of these changes', labels, behindBytes),
  ];
}

function counter(name: string, help: string, labels: Record<string, string>, value: number): Sample {
  return { name: `holdfast_${name}`, help, type: 'counter', labels, value };
}

function gauge(name: string, help: string, labels: Record<string, string>, value: number): Sample {
  return { name: `holdfast_${name}`, help, type: 'gauge', labels, value };
}
