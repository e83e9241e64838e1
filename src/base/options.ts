/**
 * Checking what callers hand in whom no compiler looks after. Invariant: what is refused is named, with what would do
 * instead: an option that nobody reads would else count as given.
 */
import { parseIp } from './address.ts';
import { AppError, InvalidInput } from './errors.ts';

const MAX_SHOWN = 40;
/** So many letters at the start make one name suggest another: `deadline` is `deadlineMs`. */
const MIN_ALIKE = 3;

/** Every key of an option object, each once: the compiler sees to it that none is forgotten. */
export type OptionKeys<Options> = Readonly<Record<keyof Options, true>>;

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, MAX_SHOWN)}'`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** @throws InvalidInput always, which names the option, what it may be and what it is */
export function refuseOption(option: string, allowed: string, value: unknown): never {
  throw new InvalidInput(`${option} is ${allowed}, not ${shown(value)}`, { option });
}

/** @throws InvalidInput unless it is an object and no array */
export function checkObject(option: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuseOption(option, 'an object', value);
}

/** `what` is who takes the options. @throws InvalidInput for what is no object, or has a key that nobody reads */
export function checkKeys(what: string, options: unknown, known: Readonly<Record<string, true>>): void {
  checkObject('options', options);
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(known, key)) continue;
    const alike = mostAlike(key, Object.keys(known));
    const instead = alike === undefined ? '' : `, use ${alike}`;
    const all = Object.keys(known).join(', ');
    throw new InvalidInput(`${what} has no option ${shown(key)}${instead}; there are: ${all}`, { option: key });
  }
}

/** @throws InvalidInput unless undefined or an AbortSignal */
export function checkSignal(value: unknown): void {
  if (value === undefined) return;
  const isSignal = typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
  if (!isSignal) refuseOption('signal', 'an AbortSignal', value);
}

/** @throws InvalidInput unless a list of texts */
export function checkTexts(option: string, value: unknown): void {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return;
  refuseOption(option, 'an array of texts', value);
}

/** @throws InvalidInput unless a list of `{ host, port }` with IP literals: names are not looked up here */
export function checkAddresses(option: string, value: unknown): void {
  const allowed = 'an array of { host, port }, each host an IP literal such as 192.0.2.7, each port up to 65535';
  if (!Array.isArray(value)) refuseOption(option, allowed, value);
  for (const one of value as readonly unknown[]) if (!isAddress(one)) refuseOption(option, allowed, place(one));
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('host' in value) || !('port' in value)) return false;
  const { host, port } = value;
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535;
  return isPort && typeof host === 'string' && isIpLiteral(host);
}

function isIpLiteral(host: string): boolean {
  try {
    return parseIp(host.replace(/%.*$/, '')).length > 0; // a zone is a matter of this machine
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

/** What of a refused address tells most. */
function place(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'host' in value ? value.host : value;
}

/** The known name that begins most like this one. */
function mostAlike(key: string, known: readonly string[]): string | undefined {
  let [best, most]: [string | undefined, number] = [undefined, MIN_ALIKE - 1];
  for (const name of known) {
    const count = alikeLetters(key.toLowerCase(), name.toLowerCase());
    if (count > most) [best, most] = [name, count];
  }
  return best;
}

function alikeLetters(a: string, b: string): number {
  let count = 0;
  while (count < a.length && a[count] === b[count]) count++;
  return count;
}
