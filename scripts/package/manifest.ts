/**
 * The package.json of the package, made from the checkout's, so that both always export the same names: what is
 * `./src/x.ts` there is `./lib/x.js` with `./lib/x.d.ts` here. Pure.
 */
import { PackagingFailed } from './failure.ts';

/** The checkout's package.json, as far as it matters here. */
export interface CheckoutManifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Where an entry of `exports` lies in the package. */
export interface Entry {
  readonly types: string;
  readonly default: string;
}

/** The package.json of the package. */
export interface PackageManifest {
  readonly [field: string]: unknown;
  readonly exports: Readonly<Record<string, Entry | string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/**
 * Native libraries that do not exist for every system; the engine loads them at run time and does without where it must.
 * For the server WebRTC is part of the promise, so the checkout has it among its plain dependencies.
 */
const OPTIONAL = new Set(['node-datachannel', 'utp-native']);

/** Entries by the name they are imported by, such as `./torrent/node`. @throws PackagingFailed */
export function entriesOf(exports: CheckoutManifest['exports']): Record<string, Entry> {
  const entries = Object.entries(exports).map(([name, source]) => {
    const [, module] = /^\.\/src\/(.+)\.ts$/.exec(source) ?? [];
    if (module === undefined) throw new PackagingFailed(`exports ${name}: ${source} is no TypeScript under ./src`);
    return [name, { types: `./lib/${module}.d.ts`, default: `./lib/${module}.js` }];
  });
  return Object.fromEntries(entries) as Record<string, Entry>;
}

/**
 * @param imported packages that the compiled modules import, each with its importers
 * @throws PackagingFailed for a package that the checkout does not list, or lists for development only
 */
export function packageManifest(
  checkout: CheckoutManifest,
  imported: ReadonlyMap<string, readonly string[]>,
): PackageManifest {
  const { name, version, license, engines } = checkout;
  const ranges = [...imported]
    .map(([dependency, importers]) => [dependency, rangeOf(checkout, dependency, importers)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    name,
    version,
    description: 'A BitTorrent engine for Node and browsers: v1, v2 and hybrid torrents, made for streaming',
    keywords: ['bittorrent', 'torrent', 'streaming', 'webrtc', 'utp', 'dht', 'peer-to-peer', 'magnet'],
    license,
    type: 'module',
    sideEffects: false,
    engines,
    exports: { ...entriesOf(checkout.exports), './package.json': './package.json' },
    files: ['lib'],
    dependencies: Object.fromEntries(ranges.filter(([dependency]) => !OPTIONAL.has(dependency))),
    optionalDependencies: Object.fromEntries(ranges.filter(([dependency]) => OPTIONAL.has(dependency))),
    // The declarations for Node name its types; pages and plain JavaScript need none of them.
    peerDependencies: { '@types/node': '>=24' },
    peerDependenciesMeta: { '@types/node': { optional: true } },
  };
}

/** The checkout pins what it was tested with; a library takes later compatible versions, or its users get copies. */
function rangeOf(checkout: CheckoutManifest, dependency: string, importers: readonly string[]): string {
  const version = checkout.dependencies[dependency] ?? checkout.optionalDependencies[dependency];
  if (version !== undefined) return `^${version}`;
  const lack = dependency in checkout.devDependencies ? 'is for development only' : 'is not in package.json';
  throw new PackagingFailed(`${importers.join(', ')} imports ${dependency}, which ${lack}`, { dependency });
}
