/**
 * Whether options are what their types say, for callers that no compiler looks after. A value that is none would else
 * count as some default: a misspelt `encryption` as a weaker one. Invariant: what is refused is named, with what would do.
 */
import { InvalidInput } from '../base/errors.ts';
import type { TorrentOptions } from './content/torrent-types.ts';
import { WEB_SEED_USES } from './download/web-seeding.ts';
import { TORRENT_MODES } from './download/wishes.ts';
import type { RateLimits } from './limits/traffic.ts';
import { ENCRYPTION_POLICIES } from './peer/opening.ts';

const MAX_SHOWN = 40;

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, MAX_SHOWN)}'`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function refuse(option: string, allowed: string, value: unknown): never {
  throw new InvalidInput(`${option} is ${allowed}, not ${shown(value)}`, { option });
}

function checkWord(option: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.some((word) => word === value)) return;
  refuse(option, words.map((word) => `'${word}'`).join(', '), value);
}

/** @throws InvalidInput unless undefined or one of `ENCRYPTION_POLICIES` */
export function checkEncryption(value: unknown): void {
  checkWord('encryption', value, ENCRYPTION_POLICIES);
}

/** @throws InvalidInput unless undefined or one of `TORRENT_MODES` */
export function checkMode(value: unknown): void {
  checkWord('mode', value, TORRENT_MODES);
}

/** A port to listen on, 0 where any will do. @throws InvalidInput unless undefined or a whole number from 0 to 65,535 */
export function checkPort(option: string, value: unknown): void {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535)) return;
  refuse(option, 'a whole number from 0 to 65535', value);
}

function checkObject(option: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) refuse(option, 'an object', value);
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0; // NaN is not
}

/**
 * Rate limits: Infinity lifts one, 0 lets nothing pass; those left out are undefined.
 * @throws InvalidInput for what is no object, or a limit that is no number from 0 on
 */
export function checkRates(limits: object): void {
  checkObject('limits', limits);
  for (const [option, value] of Object.entries(limits))
    if (option.includes('BytesPerSecond') && value !== undefined && !isAmount(value))
      refuse(option, 'bytes per second, 0 (nothing passes) or more, or Infinity (no limit)', value);
}

/** How an engine is made, and all of its caps. @throws InvalidInput for an option that is not what its type says */
export function checkEngineOptions(
  options: { readonly encryption?: unknown; readonly listenPort?: unknown },
  limits: object,
): void {
  checkEncryption(options.encryption);
  checkPort('listenPort', options.listenPort);
  for (const [option, value] of Object.entries(limits))
    if (!isAmount(value)) refuse(`limits.${option}`, 'a number, 0 or more, or Infinity (no limit)', value);
}

/** Whether it is a list of what has two numbers; which ones, `checkChoices` says. @throws InvalidInput */
export function checkRanges(option: string, value: unknown): void {
  const isRange = (one: unknown): boolean => typeof one === 'object' && one !== null && 'first' in one && 'last' in one;
  if (Array.isArray(value) && value.every(isRange)) return;
  refuse(option, 'an array of { first, last }', Array.isArray(value) ? value.find((one) => !isRange(one)) : value);
}

/** @throws InvalidInput unless a text with at least one character */
export function checkText(option: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') refuse(option, 'a text that is not empty', value);
}

/** What a torrent is added with. @throws InvalidInput for the first option that is not what its type says */
export function checkTorrentOptions(options: Partial<TorrentOptions> & RateLimits): void {
  checkObject('options', options);
  checkMode(options.mode);
  checkWord('webSeedUse', options.webSeedUse, WEB_SEED_USES);
  checkRates(options);
  if (options.selectedFiles !== undefined) checkRanges('selectedFiles', options.selectedFiles);
}
