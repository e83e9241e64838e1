/** What a test and the process it stops have to agree on (see `stop-child.ts`). */
import { KIB, MIB } from '../../src/base/units.ts';

/** What both sides know of the torrent. */
export const STOP_TORRENT_BYTES = 24 * MIB;
export const STOP_PIECE_BYTES = 256 * KIB;

export const MOMENTS = [
  'idle',
  'dialling',
  'greeting',
  'downloading',
  'reading',
  'uploading',
  'checking',
  'rechecking',
  'paused',
] as const;
export type Moment = (typeof MOMENTS)[number];

export interface StopOrder {
  readonly moment: Moment;
  /** Has the torrent's file where the moment needs one. */
  readonly folder: string;
  /** Where the partner listens. */
  readonly port: number;
  /** Something left behind on purpose. */
  readonly leak?: 'timer' | 'socket' | 'file';
}

export interface StopReport {
  /** What was under way when it was stopped. */
  readonly during: { readonly dialling: number; readonly connections: number; readonly bufferBytes: number };
  /** New since before the engine was made, by Node's own count. */
  readonly resources: readonly string[];
  readonly files: readonly string[];
  /** Timers of the engine's clock that wait, those that keep no process alive included. */
  readonly timers: number;
  readonly bufferBytes: number;
}
