/**
 * Which files of a torrent a person means: by index, as BEP 53 counts, or by name. Pure; a wildcard costs no more than
 * the name times the pattern.
 */
import { InvalidInput } from '../../base/errors.ts';
import type { FileRange } from '../../codec/magnet.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';

export interface FileFilter {
  readonly ranges: readonly FileRange[];
  /** `*` stands for any text, folders included, `?` for one character; the case of letters does not count. */
  readonly patterns: readonly string[];
}

/** Reads `0,2-4`. @throws InvalidInput */
export function parseFileRanges(text: string): FileRange[] {
  return text.split(',').map((part) => {
    const [, from, to] = /^\s*(\d{1,9})(?:-(\d{1,9}))?\s*$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to ?? from)];
    if (from === undefined || first > last) throw new InvalidInput(`files are named such as 0,2-4, not ${text}`);
    return { first, last };
  });
}

/** The files the filter means, as ranges; all when it is undefined. @throws InvalidInput when it means none. */
export function chooseFiles(info: Pick<TorrentInfo, 'files'>, filter: FileFilter | undefined): FileRange[] {
  if (filter === undefined) return [];
  const chosen: FileRange[] = [];
  for (const [at, file] of info.files.entries()) {
    if (file.isPad || file.isSymlink === true || !means(filter, at, file.path)) continue;
    const last = chosen.at(-1);
    if (last?.last === at - 1) chosen[chosen.length - 1] = { first: last.first, last: at };
    else chosen.push({ first: at, last: at });
  }
  if (chosen.length > 0) return chosen;
  throw new InvalidInput('the torrent has no such file', { files: info.files.length });
}

function means({ ranges, patterns }: FileFilter, at: number, path: readonly string[]): boolean {
  if (ranges.some(({ first, last }) => at >= first && at <= last)) return true;
  const names = [path.join('/'), path.at(-1) ?? ''];
  return patterns.some((pattern) => names.some((name) => matches(name.toLowerCase(), pattern.toLowerCase())));
}

/** Goes back to the last star only: no pattern takes more than name × pattern steps. */
function matches(name: string, pattern: string): boolean {
  let [at, next] = [0, 0];
  let star: { readonly next: number; at: number } | undefined;
  while (at < name.length) {
    if (pattern[next] === '*') star = { next: ++next, at };
    else if (pattern[next] === '?' || (next < pattern.length && pattern[next] === name[at]))
      [at, next] = [at + 1, next + 1];
    else if (star === undefined) return false;
    else [at, next] = [++star.at, star.next];
  }
  return /^\**$/.test(pattern.slice(next));
}
