/** What the public listener counts, for Prometheus. Labels come from fixed sets only, so their number is bounded. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { SECOND_MS } from '../base/units.ts';
import type { Exchange } from './delivery/sender.ts';

export class HttpMetrics {
  readonly #requests: Counter<'door' | 'status'>;
  readonly #duration: Histogram<'door'>;
  readonly #active: Gauge;
  readonly #sent: Counter;
  readonly #series = new Map<string, DoorSeries>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'seedbed_http_requests_total',
      help: 'Requests answered, by door and class of status',
      labelNames: ['door', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'seedbed_http_request_seconds',
      help: 'From the head of a request to the end of its answer',
      labelNames: ['door'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600],
      registers,
    });
    this.#active = new Gauge({ name: 'seedbed_http_active_requests', help: 'Requests being answered', registers });
    this.#sent = new Counter({
      name: 'seedbed_http_blob_bytes_total',
      help: 'Body bytes of blobs promised',
      registers,
    });
  }

  /** Counts one exchange until its answer has ended or its connection broke. */
  watch({ response }: Exchange, door: string): void {
    const startedAtMs = performance.now();
    this.#active.inc();
    response.once('close', () => {
      this.#active.dec();
      const { duration, requests } = this.#seriesOf(door);
      const statusClass = Math.floor(response.statusCode / 100);
      (requests[statusClass] ??= this.#requests.labels(door, `${statusClass}xx`)).inc();
      duration.observe((performance.now() - startedAtMs) / SECOND_MS);
    });
  }

  /** Label look-ups cost more than counting; doors are few, so their series are kept. */
  #seriesOf(door: string): DoorSeries {
    const known = this.#series.get(door);
    if (known !== undefined) return known;
    const series = { duration: this.#duration.labels(door), requests: [] };
    this.#series.set(door, series);
    return series;
  }

  countBytes(count: number): void {
    this.#sent.inc(count);
  }
}

interface DoorSeries {
  readonly duration: Histogram.Internal<'door'>;
  /** By class of status: 2 for 2xx. */
  readonly requests: Counter.Internal[];
}
