/**
 * One upload as the interface shows it, and how it changes: a pure state machine. An item is in exactly one phase; it has a
 * hash (and so a link) from the end of hashing on, and never loses it again.
 */
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';
import { noSpeed, sampleSpeed, type SpeedMeter } from '../lib/speed.ts';

export interface FileHash {
  readonly sha256: Sha256;
  /** Absent for the empty file. */
  readonly infoHash?: InfoHashV1;
}

export type UploadPhase =
  | { readonly kind: 'queued' }
  | { readonly kind: 'hashing' }
  | { readonly kind: 'uploading' }
  /** The server cannot be reached; the upload goes on by itself. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'paused' }
  /** After a reload: the browser wants the user's consent (`ask`) or the file itself (`pick`). */
  | { readonly kind: 'needs-file'; readonly how: 'ask' | 'pick' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'stored' };

export interface UploadItem {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly hash?: FileHash;
  readonly hashedBytes: number;
  readonly sentBytes: number;
  readonly speed: SpeedMeter;
  readonly phase: UploadPhase;
}

export type UploadEvent =
  | { readonly kind: 'hashing' }
  | { readonly kind: 'hash-progress'; readonly hashedBytes: number; readonly atMs: number }
  | { readonly kind: 'hashed'; readonly hash: FileHash }
  | { readonly kind: 'uploading' }
  | { readonly kind: 'sent'; readonly sentBytes: number; readonly atMs: number }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'queued' }
  | { readonly kind: 'file-needed'; readonly how: 'ask' | 'pick' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'stored' };

/** A fresh item; `known` restores what an earlier visit had found out. */
export function newItem(
  file: Pick<UploadItem, 'id' | 'name' | 'type' | 'sizeBytes'>,
  known: Partial<Pick<UploadItem, 'hash' | 'sentBytes'>> = {},
): UploadItem {
  return { ...file, hashedBytes: 0, sentBytes: 0, speed: noSpeed, ...known, phase: { kind: 'queued' } };
}

/** The item after the event. Events that come too late, after the end or a pause, change nothing. */
export function reduceItem(item: UploadItem, event: UploadEvent): UploadItem {
  if (item.phase.kind === 'stored') return item;
  switch (event.kind) {
    case 'hashing':
      return { ...item, phase: { kind: 'hashing' }, hashedBytes: 0, speed: noSpeed };
    case 'hash-progress':
      if (item.phase.kind !== 'hashing') return item;
      return { ...item, hashedBytes: event.hashedBytes, speed: measure(item, event.hashedBytes, event.atMs) };
    case 'hashed':
      return { ...item, hash: event.hash, hashedBytes: item.sizeBytes, speed: noSpeed };
    case 'uploading':
      return { ...item, phase: { kind: 'uploading' }, speed: noSpeed };
    case 'sent':
      return sent(item, event.sentBytes, event.atMs);
    case 'unreachable':
      return item.phase.kind === 'uploading' ? { ...item, phase: { kind: 'waiting' }, speed: noSpeed } : item;
    case 'paused':
      return { ...item, phase: { kind: 'paused' }, speed: noSpeed };
    case 'queued':
      return { ...item, phase: { kind: 'queued' }, speed: noSpeed };
    case 'file-needed':
      return { ...item, phase: { kind: 'needs-file', how: event.how }, speed: noSpeed };
    case 'failed':
      return { ...item, phase: { kind: 'failed', code: event.code, message: event.message }, speed: noSpeed };
    case 'stored':
      return { ...item, phase: { kind: 'stored' }, sentBytes: item.sizeBytes, speed: noSpeed };
  }
}

function sent(item: UploadItem, sentBytes: number, atMs: number): UploadItem {
  if (item.phase.kind !== 'uploading' && item.phase.kind !== 'waiting') return item;
  return { ...item, phase: { kind: 'uploading' }, sentBytes, speed: measure(item, sentBytes, atMs) };
}

function measure(item: UploadItem, totalBytes: number, atMs: number): SpeedMeter {
  return sampleSpeed(item.speed, { atMs, totalBytes });
}

/** Trying the same file again would not help. */
const WRONG_FILE = 'hash_mismatch';

export type UploadAction = 'pause' | 'resume' | 'retry' | 'provide-file' | 'cancel' | 'dismiss';

/** What the user can do with the item now, in the order of the buttons. */
export function actionsOf(phase: UploadPhase): readonly UploadAction[] {
  switch (phase.kind) {
    case 'queued':
    case 'hashing':
    case 'uploading':
    case 'waiting':
      return ['pause', 'cancel'];
    case 'paused':
      return ['resume', 'cancel'];
    case 'needs-file':
      return ['provide-file', 'cancel'];
    case 'failed':
      return [phase.code === WRONG_FILE ? 'provide-file' : 'retry', 'cancel'];
    case 'stored':
      return ['dismiss'];
  }
}
