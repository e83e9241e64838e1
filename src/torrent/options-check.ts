/**
 * Whether options are what their types say, for callers that no compiler looks after. A value that is none would else
 * count as some default: a misspelt `encryption` as a weaker one. Invariant: what is refused is named, with what would do.
 */
import { ADDRESS_SOURCES } from '../base/address-policy.ts';
import { checkAddresses, checkKeys, checkObject, type OptionKeys, refuseOption } from '../base/options.ts';
import type { TorrentOptions } from './content/torrent-types.ts';
import { WEB_SEED_USES } from './download/web-seeding.ts';
import { TORRENT_MODES } from './download/wishes.ts';
import type { AddressRateLimits } from './limits/address-traffic.ts';
import { DEFAULT_LIMITS } from './limits/shared.ts';
import type { RateLimits } from './limits/traffic.ts';
import { ENCRYPTION_POLICIES } from './peer/opening.ts';

/** What a torrent is added with, whatever is known of it. */
export const TORRENT_KEYS: OptionKeys<TorrentOptions> = {
  v1: true,
  v2: true,
  mode: true,
  selectedFiles: true,
  webSeedUse: true,
  webSeeds: true,
  peers: true,
  uploadBytesPerSecond: true,
  downloadBytesPerSecond: true,
};

const RATE_KEYS: OptionKeys<RateLimits> = { uploadBytesPerSecond: true, downloadBytesPerSecond: true };
const ADDRESS_RATE_KEYS: OptionKeys<AddressRateLimits> = {
  uploadBytesPerSecondPerAddress: true,
  downloadBytesPerSecondPerAddress: true,
};

function checkWord(option: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.some((word) => word === value)) return;
  refuseOption(option, words.map((word) => `'${word}'`).join(', '), value);
}

/** @throws InvalidInput unless undefined or one of `ENCRYPTION_POLICIES` */
export function checkEncryption(value: unknown): void {
  checkWord('encryption', value, ENCRYPTION_POLICIES);
}

/** @throws InvalidInput unless undefined or one of `TORRENT_MODES` */
export function checkMode(value: unknown): void {
  checkWord('mode', value, TORRENT_MODES);
}

/** @throws InvalidInput unless undefined or one of `ADDRESS_SOURCES` */
export function checkAddressSource(value: unknown): void {
  checkWord('source', value, ADDRESS_SOURCES);
}

/** A port to listen on, 0 where any will do. @throws InvalidInput unless undefined or a whole number from 0 to 65,535 */
export function checkPort(option: string, value: unknown): void {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535)) return;
  refuseOption(option, 'a whole number from 0 to 65535', value);
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
      refuseOption(option, 'bytes per second, 0 (nothing passes) or more, or Infinity (no limit)', value);
}

/** Rate limits of a torrent that are changed. @throws InvalidInput for an unknown one, too */
export function checkTorrentRates(limits: object): void {
  checkObject('limits', limits);
  checkKeys('setLimits of a torrent', limits, RATE_KEYS);
  checkRates(limits);
}

/** Rate limits over all torrents that are changed. @throws InvalidInput for an unknown one, too */
export function checkEngineRates(limits: object): void {
  checkObject('limits', limits);
  checkKeys('setLimits of an engine', limits, { ...RATE_KEYS, ...ADDRESS_RATE_KEYS });
  checkRates(limits);
}

/** Global caps; those left out are undefined. @throws InvalidInput for an unknown one, or one that is no number from 0 on */
export function checkCaps(limits: object): void {
  checkObject('limits', limits);
  const known = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((cap) => [cap, true as const]));
  checkKeys('limits', limits, known);
  for (const [option, value] of Object.entries(limits))
    if (value !== undefined && !isAmount(value))
      refuseOption(`limits.${option}`, 'a number, 0 or more, or Infinity (no limit)', value);
}

/** How an engine is made, and all of its caps. @throws InvalidInput for an option that is not what its type says */
export function checkEngineOptions(
  options: { readonly encryption?: unknown; readonly listenPort?: unknown },
  limits: object,
): void {
  checkEncryption(options.encryption);
  checkPort('listenPort', options.listenPort);
  checkCaps(limits);
}

/** Whether it is lists of texts, as trackers are named (BEP 12). @throws InvalidInput */
export function checkTiers(value: unknown): void {
  const isTier = (tier: unknown): boolean => Array.isArray(tier) && tier.every((url) => typeof url === 'string');
  if (Array.isArray(value) && value.every(isTier)) return;
  const wrong: unknown = Array.isArray(value) ? value.find((tier) => !isTier(tier)) : value;
  refuseOption('tiers', "an array of arrays of URLs, such as [['udp://tracker.example:6969']]", wrong);
}

/** Whether it is a list of what has two numbers; which ones, `checkChoices` says. @throws InvalidInput */
export function checkRanges(option: string, value: unknown): void {
  const isRange = (one: unknown): boolean => typeof one === 'object' && one !== null && 'first' in one && 'last' in one;
  if (Array.isArray(value) && value.every(isRange)) return;
  refuseOption(
    option,
    'an array of { first, last }',
    Array.isArray(value) ? value.find((one) => !isRange(one)) : value,
  );
}

/** @throws InvalidInput unless a text with at least one character */
export function checkText(option: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') refuseOption(option, 'a text that is not empty', value);
}

/** What a torrent is added with. @throws InvalidInput for the first option that is not what its type says */
export function checkTorrentOptions(options: Partial<TorrentOptions> & RateLimits): void {
  checkObject('options', options);
  checkMode(options.mode);
  checkWord('webSeedUse', options.webSeedUse, WEB_SEED_USES);
  checkRates(options);
  if (options.selectedFiles !== undefined) checkRanges('selectedFiles', options.selectedFiles);
  if (options.peers !== undefined) checkAddresses('peers', options.peers);
}
