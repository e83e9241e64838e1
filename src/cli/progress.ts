/** Progress for a person (one line that redraws itself on a terminal) or for a program (JSON lines). */
import process from 'node:process';
import { formatBytes, formatDuration, SECOND_MS } from '../base/units.ts';

const REDRAW_MS = 200;
const JSON_LINE_MS = SECOND_MS;
const BAR_CELLS = 24;

export interface Progress {
  /** What is being done: `downloading`, `hashing film.mp4`. */
  readonly label: string;
  readonly doneBytes: number;
  /** Undefined while unknown. */
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  /** Left out where peers mean nothing. */
  readonly peers?: number;
}

/** `downloading  ▕██████      ▏  25 %  3.2 MiB of 12.8 MiB  1.1 MiB/s  9 s left  3 peers` */
export function progressLine(progress: Progress, columns = Number.POSITIVE_INFINITY): string {
  const { label, doneBytes, totalBytes, bytesPerSecond, peers } = progress;
  const share = totalBytes === undefined ? 0 : Math.min(1, doneBytes / totalBytes);
  const bar = '█'.repeat(Math.floor(share * BAR_CELLS)).padEnd(BAR_CELLS);
  const leftMs = remainingMs(progress);
  const parts = [
    label,
    ...(totalBytes === undefined ? [] : [`▕${bar}▏`, `${Math.floor(share * 100)} %`.padStart(5)]),
    totalBytes === undefined ? formatBytes(doneBytes) : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(bytesPerSecond)}/s`,
    ...(leftMs === undefined ? [] : [`${formatDuration(leftMs)} left`]),
    ...(peers === undefined ? [] : [`${peers} ${peers === 1 ? 'peer' : 'peers'}`]),
  ];
  const line = parts.join('  ');
  return line.length <= columns ? line : Array.from(line).slice(0, columns).join('');
}

/** At the present rate; undefined when nothing moves or nothing is known. */
export function remainingMs({ doneBytes, totalBytes, bytesPerSecond }: Progress): number | undefined {
  if (totalBytes === undefined || bytesPerSecond < 1 || doneBytes >= totalBytes) return undefined;
  return Math.max(SECOND_MS, Math.round(((totalBytes - doneBytes) / bytesPerSecond) * SECOND_MS));
}

/** Draws until disposed of. On a pipe without `json` it stays silent: logs of other programs need no bars. */
export function showProgress(json: boolean, read: () => Progress): Disposable {
  const isTerminal = process.stderr.isTTY;
  if (!json && !isTerminal) return { [Symbol.dispose]: () => undefined };
  const draw = json
    ? () => process.stdout.write(`${JSON.stringify({ event: 'progress', ...read() })}\n`)
    : () => process.stderr.write(`\r\u001B[K${progressLine(read(), process.stderr.columns)}`);
  const timer = setInterval(draw, json ? JSON_LINE_MS : REDRAW_MS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (!json) process.stderr.write('\r\u001B[K');
    },
  };
}

/** Bytes per second since the first call, for work that has no meter of its own. */
export function rateMeter(nowMs: () => number): (doneBytes: number) => number {
  const startedAtMs = nowMs();
  return (doneBytes) => (doneBytes * SECOND_MS) / Math.max(1, nowMs() - startedAtMs);
}
