/**
 * An npm registry on loopback that knows the packages in this checkout's node_modules, in the versions of the lockfile, and
 * those it is given; nothing else. npm installs from it as from the real one, with no network.
 */
import { execFile, spawn } from 'node:child_process';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** A version of a package: what registries tell of it, and where its files are. */
interface Version {
  readonly manifest: { readonly version: string } & Readonly<Record<string, unknown>>;
  /** A .tgz, or a folder; undefined: known, but not here, as libraries for other systems are. */
  readonly place: string | undefined;
}

/** A running registry. */
export interface Registry extends AsyncDisposable {
  /** For `npm --registry`. */
  readonly url: string;
  /** Names of all packages whose files were fetched. */
  readonly fetched: ReadonlySet<string>;
  /** Names of packages that were asked for and are not known. */
  readonly refused: ReadonlySet<string>;
}

/** What the lockfile says of every package, by name. */
function lockedVersions(): Map<string, Version[]> {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Version['manifest']>;
  };
  const versions = new Map<string, Version[]>();
  for (const [place, manifest] of Object.entries(packages)) {
    const name = place.split('node_modules/').at(-1) ?? '';
    const folder = path.join(ROOT, place);
    if (name !== '') {
      const version = { manifest, place: existsSync(folder) ? folder : undefined };
      versions.set(name, [...(versions.get(name) ?? []), version]);
    }
  }
  return versions;
}

async function readPacked(tarball: string): Promise<{ name: string; version: string }> {
  const { stdout } = await promisify(execFile)('tar', ['-xzOf', tarball, 'package/package.json']);
  return JSON.parse(stdout) as { name: string; version: string };
}

/** Serves the checkout's dependencies and `tarballs` on a free port of loopback. */
export async function startRegistry(tarballs: readonly string[]): Promise<Registry> {
  const versions = lockedVersions();
  for (const place of tarballs) {
    const manifest = await readPacked(place);
    versions.set(manifest.name, [{ manifest, place }]);
  }
  const fetched = new Set<string>();
  const refused = new Set<string>();

  const answer = async ({ url = '' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, name = '', version] = /^\/((?:@[^/]+\/)?[^/]+)(?:\/-\/(.+)\.tgz)?$/.exec(decodeURIComponent(url)) ?? [];
    const known = versions.get(name);
    const place = known?.find(({ manifest }) => manifest.version === version)?.place;
    if (known === undefined) refused.add(name);
    else if (version === undefined) return void response.end(JSON.stringify(packument(name, known, origin)));
    else if (place !== undefined) {
      fetched.add(name);
      return sendTarball(place, response);
    }
    response.writeHead(404).end('{}');
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  return {
    url: origin,
    fetched,
    refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function packument(name: string, known: readonly Version[], origin: string): unknown {
  const entries = known.map(({ manifest }) => {
    const { version } = manifest;
    // What the lockfile says of the real registry's tarball does not hold for ours.
    const { integrity: _, resolved: __, ...facts } = manifest;
    return [version, { ...facts, name, dist: { tarball: `${origin}/${name}/-/${version}.tgz` } }] as const;
  });
  return { name, 'dist-tags': { latest: known[0]?.manifest.version }, versions: Object.fromEntries(entries) };
}

/** npm takes the first folder in a tarball for the package, whatever its name. */
async function sendTarball(place: string, response: ServerResponse): Promise<void> {
  if (place.endsWith('.tgz')) return pipeline(createReadStream(place), response);
  const name = path.basename(place);
  const args = ['-czf', '-', '-C', path.dirname(place), '--exclude', `${name}/node_modules`, name];
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await pipeline(tar.stdout, response);
}
