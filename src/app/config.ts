/**
 * Every setting of Seedbed: one table that parses, explains and prints them. Nothing else reads the environment.
 * A wrong value stops the start and names its key.
 */
import path from 'node:path';
import type { UploadPolicy } from '../base/api.ts';
import { AppError } from '../base/errors.ts';
import { GIB, KIB, MIB } from '../base/units.ts';
import { ENCRYPTION_POLICIES } from '../torrent/index.ts';

export class BadSetting extends AppError {
  override readonly code = 'bad_setting';
}

interface Setting<Value> {
  readonly key: string;
  readonly meaning: string;
  /** As a person would write it; undefined = depends on other settings. */
  readonly fallback: string | undefined;
  readonly expects: string;
  /** Undefined when the text is not acceptable. */
  readonly parse: (text: string) => Value | undefined;
}

function setting<Value>(
  key: string,
  fallback: string | undefined,
  meaning: string,
  type: Pick<Setting<Value>, 'expects' | 'parse'>,
): Setting<Value> {
  return { key, fallback, meaning, ...type };
}

const port = {
  expects: 'a port from 1 to 65535',
  parse: (text: string) => wholeNumber(text, 1, 65_535),
};
const count = (min: number, max: number) => ({
  expects: `a whole number from ${min} to ${max}`,
  parse: (text: string) => wholeNumber(text, min, max),
});
const flag = {
  expects: 'true or false',
  parse: (text: string) => (text === 'true' ? true : text === 'false' ? false : undefined),
};
const bytes = {
  expects: 'a size such as 500MiB, 20GiB or a number of bytes',
  parse: parseSize,
};
const origin = {
  expects: 'an origin such as https://media.example, without a path',
  parse: (text: string): string | undefined => {
    const url = URL.parse(text);
    const isOrigin = url !== null && /^https?:$/.test(url.protocol) && text.replace(/\/$/, '') === url.origin;
    return isOrigin ? url.origin : undefined;
  },
};
const oneOf = <Choice extends string>(...choices: readonly Choice[]) => ({
  expects: choices.join(', '),
  parse: (text: string) => choices.find((choice) => choice === text),
});
const folder = { expects: 'a path', parse: (text: string) => (text === '' ? undefined : path.resolve(text)) };
const host = {
  expects: 'an address to listen on, such as 127.0.0.1 or 0.0.0.0',
  parse: (text: string) => (/^[0-9a-zA-Z.:_-]+$/.test(text) ? text : undefined),
};
const title = { expects: '1 to 60 characters', parse: (text: string) => (/^.{1,60}$/u.test(text) ? text : undefined) };
const iceUrls = {
  expects: 'stun:, turn: or turns: URLs, separated by commas',
  parse: (text: string): readonly string[] | undefined => {
    const urls = text
      .split(',')
      .map((url) => url.trim())
      .filter((url) => url !== '');
    return urls.every((url) => /^(stun|stuns|turn|turns):[^\s]+$/.test(url)) ? urls : undefined;
  },
};

const dhtNodes = {
  expects: 'nodes as host:port, separated by commas',
  parse: (text: string): readonly string[] | undefined => {
    const nodes = text
      .split(',')
      .map((node) => node.trim())
      .filter((node) => node !== '');
    return nodes.every((node) => /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/.test(node)) ? nodes : undefined;
  },
};

const UPLOADS: readonly UploadPolicy[] = ['owner', 'members', 'anyone'];

const SETTINGS = {
  host: setting('SEEDBED_HOST', '127.0.0.1', 'Address to listen on; 0.0.0.0 opens it to the network.', host),
  port: setting('SEEDBED_PORT', '24242', 'Web app, API, WebSocket tracker (TCP) and UDP tracker.', port),
  adminPort: setting('SEEDBED_ADMIN_PORT', '24243', 'Health and metrics, on loopback only.', port),
  peerPort: setting('SEEDBED_PEER_PORT', '24244', 'BitTorrent peers (TCP and uTP).', port),
  encryption: setting(
    'SEEDBED_ENCRYPTION',
    'prefer',
    'Encrypted handshakes with BitTorrent peers: prefer them, require RC4 throughout, or off.',
    oneOf(...ENCRYPTION_POLICIES),
  ),
  utp: setting('SEEDBED_UTP', 'true', 'Also uTP, on the peer port over UDP, where this system can.', flag),
  data: setting('SEEDBED_DATA', './data', 'Folder for everything that is kept.', folder),
  publicUrl: setting(
    'SEEDBED_PUBLIC_URL',
    undefined,
    'Origin under which people reach this server; default http://HOST:PORT.',
    origin,
  ),
  mediaUrl: setting(
    'SEEDBED_MEDIA_URL',
    undefined,
    'Second origin that serves user content; default: the public URL.',
    origin,
  ),
  name: setting('SEEDBED_NAME', 'Seedbed', 'Name of this server, shown to visitors.', title),
  uploads: setting('SEEDBED_UPLOADS', 'members', 'Who may upload.', oneOf(...UPLOADS)),
  maxUploadBytes: setting('SEEDBED_MAX_UPLOAD', '100GiB', 'Largest file accepted.', bytes),
  quotaBytes: setting('SEEDBED_QUOTA', '100GiB', 'Room for each identity.', bytes),
  guestQuotaBytes: setting('SEEDBED_GUEST_QUOTA', '10GiB', 'Room shared by all visitors without a key.', bytes),
  totalQuotaBytes: setting(
    'SEEDBED_TOTAL_QUOTA',
    '8192GiB',
    'Room for all files together; the disk may end earlier.',
    bytes,
  ),
  uploadExpiryHours: setting(
    'SEEDBED_UPLOAD_EXPIRY_HOURS',
    '72',
    'Unfinished uploads nobody continued are removed after so many hours.',
    count(1, 8_760),
  ),
  openTracker: setting(
    'SEEDBED_TRACKER_OPEN',
    'false',
    'The tracker also serves torrents this server does not know.',
    flag,
  ),
  iceServers: setting(
    'SEEDBED_ICE_SERVERS',
    '',
    'Your own STUN/TURN servers for browsers; none are used by default.',
    iceUrls,
  ),
  seedLimitBytesPerSec: setting(
    'SEEDBED_SEED_LIMIT',
    '0',
    'Upload limit to swarms in bytes per second; 0 = none.',
    bytes,
  ),
  seedLimitPerAddressBytesPerSec: setting(
    'SEEDBED_SEED_LIMIT_PER_ADDRESS',
    '0',
    'Upload limit to the peers of one address (IPv6: one /64) in bytes per second; 0 = none.',
    bytes,
  ),
  maxPeers: setting('SEEDBED_MAX_PEERS', '500', 'Peer connections at once.', count(1, 20_000)),
  dht: setting(
    'SEEDBED_DHT',
    'off',
    'Announce what is being seeded in the DHT; private torrents never.',
    oneOf('off', 'on'),
  ),
  dhtPort: setting('SEEDBED_DHT_PORT', '24245', 'DHT node (UDP), where it is on.', port),
  dhtNodes: setting(
    'SEEDBED_DHT_NODES',
    '',
    'Nodes to begin with, such as router.bittorrent.com:6881,dht.transmissionbt.com:6881; nobody else is contacted unasked, but whom they led to before a restart.',
    dhtNodes,
  ),
  lsd: setting(
    'SEEDBED_LSD',
    'off',
    'Announce what is being seeded in the local network (BEP 14).',
    oneOf('off', 'on'),
  ),
  allowPrivatePeers: setting(
    'SEEDBED_ALLOW_PRIVATE_PEERS',
    'false',
    'Strangers (other trackers, PEX, DHT) may name peers at private and loopback addresses.',
    flag,
  ),
  trustProxy: setting('SEEDBED_TRUST_PROXY', 'false', 'Believe X-Forwarded-For of a reverse proxy on loopback.', flag),
  logLevel: setting('SEEDBED_LOG_LEVEL', 'info', 'How much is logged.', oneOf('debug', 'info', 'warn', 'error')),
};

type Settings = typeof SETTINGS;
type ValueOf<Key extends keyof Settings> = Exclude<ReturnType<Settings[Key]['parse']>, undefined>;
/** Those whose default follows from others. */
type Derived = 'publicUrl' | 'mediaUrl';

/** What the whole program runs by. */
export type Config = { readonly [Key in keyof Settings]: ValueOf<Key> };

/** @throws BadSetting naming the key, what was given and what is expected. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  refuseUnknownKeys(environment);
  const values = Object.entries(SETTINGS).map(([name, { key, fallback, expects, parse }]) => {
    const text = environment[key] ?? fallback;
    const value = text === undefined ? undefined : parse(text);
    if (value === undefined && text !== undefined) {
      throw new BadSetting(`${key}=${text} is not valid: expected ${expects}`, { key });
    }
    return [name, value] as const;
  });
  const given = Object.fromEntries(values) as Omit<Config, Derived> & Partial<Pick<Config, Derived>>;
  const publicUrl = given.publicUrl ?? localOrigin(given.host, given.port);
  const config: Config = { ...given, publicUrl, mediaUrl: given.mediaUrl ?? publicUrl };
  refuseSharedPorts(config);
  return config;
}

export interface SettingLine {
  readonly key: string;
  readonly value: string;
  readonly fallback: string;
  readonly meaning: string;
  readonly expects: string;
}

/** Every setting with its value, for `--print-config` and the documentation. */
export function describeConfig(config: Config): SettingLine[] {
  return Object.entries(SETTINGS).map(([name, { key, fallback, meaning, expects }]) => ({
    key,
    value: String(config[name as keyof Settings]),
    fallback: fallback ?? '(derived)',
    meaning,
    expects,
  }));
}

const KNOWN_ELSEWHERE: ReadonlySet<string> = new Set([
  'SEEDBED_FORBID_SKIP',
  'SEEDBED_CRASH_CYCLES',
  'SEEDBED_POWER_CUTS',
]);

/** A misspelt setting must not be silently ignored. */
function refuseUnknownKeys(environment: Readonly<Record<string, string | undefined>>): void {
  const known = new Set(Object.values(SETTINGS).map(({ key }) => key));
  for (const key of Object.keys(environment)) {
    if (!key.startsWith('SEEDBED_') || known.has(key) || KNOWN_ELSEWHERE.has(key)) continue;
    throw new BadSetting(`${key} is not a setting of Seedbed; see --print-config for the list`, { key });
  }
}

function refuseSharedPorts(config: Config): void {
  const ports = [config.port, config.adminPort, config.peerPort];
  if (new Set(ports).size === ports.length) return;
  throw new BadSetting(`SEEDBED_PORT, SEEDBED_ADMIN_PORT and SEEDBED_PEER_PORT must differ (${ports.join(', ')})`, {
    key: 'SEEDBED_PORT',
  });
}

function localOrigin(listenHost: string, listenPort: number): string {
  const isAny = listenHost === '0.0.0.0' || listenHost === '::';
  const name = isAny ? '127.0.0.1' : listenHost.includes(':') ? `[${listenHost}]` : listenHost;
  return `http://${name}:${listenPort}`;
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,12})\s*(B|KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: 1024 * GIB }[unit ?? 'B'] ?? 1;
  const size = Number(digits) * factor;
  return Number.isSafeInteger(size) ? size : undefined;
}
