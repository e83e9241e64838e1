/** How figures are worded for people. Pure; sizes in bytes, speeds in bytes per second, times in ms. */
import { formatBytes, formatDuration } from '../../../src/base/units.ts';

/** `1536000` → `1.5 MiB/s`; slower than 1 B/s reads as a dash. */
export function formatSpeed(bytesPerSec: number): string {
  return bytesPerSec < 1 ? '–' : `${formatBytes(Math.round(bytesPerSec))}/s`;
}

/** Share of a whole as a rounded-down percentage; 100 only when complete, and an empty whole is complete. */
export function percentOf(part: number, whole: number): number {
  if (whole <= 0 || part >= whole) return 100;
  return Math.max(0, Math.min(99, Math.floor((part / whole) * 100)));
}

/** Time left at the present speed, such as `3 min 5 s`; undefined while the speed is unknown. */
export function formatTimeLeft(remainingBytes: number, bytesPerSec: number): string | undefined {
  if (bytesPerSec < 1) return undefined;
  const leftMs = (remainingBytes / bytesPerSec) * 1000;
  return formatDuration(Math.max(1000, leftMs));
}

/** A date as people read it: relative within a week, else the day. */
export function formatWhen(atMs: number, nowMs: number, locale: string): string {
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const minutes = Math.round((atMs - nowMs) / 60_000);
  if (Math.abs(minutes) < 60) return relative.format(minutes, 'minute');
  const hours = Math.round(minutes / 60);
  if (Math.abs(hours) < 24) return relative.format(hours, 'hour');
  const days = Math.round(hours / 24);
  if (Math.abs(days) < 7) return relative.format(days, 'day');
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(atMs);
}

export interface NameParts {
  readonly stem: string;
  /** With the dot; empty when the name has none, or one too long to be an extension. */
  readonly extension: string;
}

/** Splits a file name so that a long stem can be cut while the extension stays readable. */
export function splitName(name: string): NameParts {
  const dot = name.lastIndexOf('.');
  if (dot <= 0 || name.length - dot > 9) return { stem: name, extension: '' };
  return { stem: name.slice(0, dot), extension: name.slice(dot) };
}

/** `3f2a…9c01`: enough of a hash or key to compare at a glance. */
export function shortId(id: string): string {
  return id.length <= 13 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`;
}
