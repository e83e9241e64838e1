/** What a person sees on the terminal when the server is up. Pure. */
import type { Config } from './config.ts';

export interface BannerFacts {
  readonly config: Config;
  readonly version: string;
  readonly startedInMs: number;
  /** Present until somebody owns the server. */
  readonly setupUrl?: string;
  readonly torrents: number;
}

export function banner({ config, version, startedInMs, setupUrl, torrents }: BannerFacts): string {
  const rows: (readonly [string, string])[] = [
    ['Open', config.publicUrl],
    ['Data', config.data],
    ['Seeding', `${torrents} ${torrents === 1 ? 'file' : 'files'}, peers on port ${config.peerPort}`],
  ];
  if (setupUrl !== undefined) rows.push(['Make it yours', `${setupUrl}  (works once)`]);
  rows.push(['Stop', 'Ctrl+C']);
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`);
  return `\n  Seedbed ${version} is ready after ${(startedInMs / 1000).toFixed(1)} s\n\n${lines.join('\n')}\n\n`;
}
