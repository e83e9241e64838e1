/** What the public listener counts, for Prometheus. Labels come from fixed sets only, so their number is bounded. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { SECOND_MS } from '../base/units.ts';
import type { Exchange } from './delivery/sender.ts';

export class HttpMetrics {
  readonly #requests: Counter<'door' | 'status'>;
  readonly #duration: Histogram<'door'>;
  readonly #active: Gauge;
  readonly #sent: Counter;

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
      this.#requests.inc({ door, status: `${Math.floor(response.statusCode / 100)}xx` });
      this.#duration.observe({ door }, (performance.now() - startedAtMs) / SECOND_MS);
    });
  }

  countBytes(count: number): void {
    this.#sent.inc(count);
  }
}
