/**
 * The part of RTCDataChannel that carries peer bytes, so that a channel which could not be transferred to the worker
 * can be stood in for by a relay over a MessagePort (`relayed-channel.ts`).
 */

/** Events: `open`, `message` (data: ArrayBuffer), `bufferedamountlow`, `close`, `error`. */
export interface ByteChannel {
  binaryType: string;
  readonly readyState: 'connecting' | 'open' | 'closing' | 'closed';
  /** Bytes handed to `send` that have not left yet. */
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  addEventListener(type: string, listener: (event: Event) => void): void;
  /** Copies or sends the bytes before it returns. Throws unless open. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}
