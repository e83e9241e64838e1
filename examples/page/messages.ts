/** What the page, its worker and its service worker say to each other, besides what the swarm does. */

/** Page → worker. */
export type Asked =
  | { readonly kind: 'open'; readonly magnet: string }
  /** From the service worker: the `Range` header of a request, to be answered on `port`. */
  | { readonly kind: 'range'; readonly range: string | null; readonly port: MessagePort };

/** Worker → page. */
export type Told =
  | { readonly kind: 'ready'; readonly name: string; readonly totalBytes: number }
  | {
      readonly kind: 'progress';
      readonly share: number;
      readonly peers: number;
      readonly bytesPerSecond: number;
      readonly uploadedBytes: number;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** Worker → service worker. */
export interface RangeAnswer {
  readonly start: number;
  readonly endExclusive: number;
  readonly totalBytes: number;
  readonly body: ReadableStream<Uint8Array>;
}
