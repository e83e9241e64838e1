/** The `seed` use case: hashes files, writes their .torrent files where wanted, serves them until disposed of. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { safeSegment } from '../../adapters/fs/placement.ts';
import { Guard } from '../../adapters/guard/guard.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import type { Sha256 } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { canonicalSha256Of } from '../../codec/canonical.ts';
import type { TorrentFormat } from '../../codec/make-info.ts';
import type { InfoHashes } from '../../codec/metainfo.ts';
import { contentBytesOf } from '../../codec/torrent-info.ts';
import { hashPath } from '../../kit/node/hash-path.ts';
import { type HashedFile, hashFile, seedFile, type SeededFile } from '../../kit/node/seed-files.ts';
import { SwarmNode, type SwarmNodeOptions } from '../../kit/node/swarm-node.ts';
import type { EncryptionPolicy } from '../../torrent/index.ts';

export interface OfferOptions {
  /** Files; folders too where a format is given. */
  readonly files: readonly string[];
  /** Absent: the canonical torrent of each file. */
  readonly format?: TorrentFormat | undefined;
  readonly trackers: readonly string[];
  /** Where .torrent files go: a file for one, a folder for several; undefined: nowhere. */
  readonly output: string | undefined;
  readonly host: string | undefined;
  /** 0 = any. */
  readonly port: number;
  /** Default `prefer`. */
  readonly encryption?: EncryptionPolicy;
  /** Undefined: the DHT stays off. */
  readonly dht?: SwarmNodeOptions['dht'];
  /** Default false. */
  readonly lsd?: boolean;
  readonly signal: AbortSignal;
  readonly log?: Log;
}

export interface OfferedFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of canonical torrents. */
  readonly sha256: Sha256 | undefined;
  readonly infoHash: InfoHashes['v1'];
  readonly infoHashV2: InfoHashes['v2'];
  readonly magnet: string;
}

export interface Offer extends AsyncDisposable {
  readonly files: readonly OfferedFile[];
  /** `host:port` for peers. */
  readonly address: string;
  traffic(): { readonly doneBytes: number; readonly bytesPerSecond: number; readonly peers: number };
}

/** `hashed` hears how far a file is read. @throws as `hashFile`, and Unavailable when the port is taken */
export async function offerFiles(
  options: OfferOptions,
  hashed: (file: string, doneBytes: number, totalBytes: number) => void,
): Promise<Offer> {
  const { files, trackers, host, port, encryption = 'prefer', signal, log = silentLog } = options;
  const ready = [];
  for (const file of files) {
    const progress = (done: number, total: number): void => hashed(path.basename(file), done, total);
    ready.push(await hash(file, options.format, signal, progress));
  }
  const guard = new Guard({ policy: new AddressPolicy(), log });
  const node = await SwarmNode.open({
    port,
    log,
    guard,
    dht: options.dht,
    lsd: options.lsd,
    encryption,
    ...(host === undefined ? {} : { host }),
  });
  try {
    const seeded: SeededFile[] = [];
    for (const file of ready) seeded.push(await seedFile(node, file, trackers, log));
    if (options.output !== undefined) await writeMetainfos(seeded, options.output);
    return describe(node, seeded);
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** What is one file in v1 gets its canonical torrent. */
async function hash(
  file: string,
  format: TorrentFormat | undefined,
  signal: AbortSignal,
  hashed: (done: number, total: number) => void,
): Promise<HashedFile> {
  const isFolder = (await stat(file).catch(() => undefined))?.isDirectory() === true;
  if (format === undefined || (format === 'v1' && !isFolder)) return hashFile(file, { signal, hashed });
  return hashPath(file, { format, signal, hashed });
}

async function writeMetainfos(files: readonly SeededFile[], output: string): Promise<void> {
  const [only, second] = files;
  const isFolder = second !== undefined || (await stat(output).catch(() => undefined))?.isDirectory() === true;
  if (only !== undefined && !isFolder) {
    await writeFile(output, only.metainfo);
    return;
  }
  await mkdir(output, { recursive: true });
  for (const { name, metainfo } of files) await writeFile(path.join(output, `${safeSegment(name)}.torrent`), metainfo);
}

function describe(node: SwarmNode, files: readonly SeededFile[]): Offer {
  const { host, port } = node.address;
  return {
    files: files.map(({ name, info, torrent, magnet }) => ({
      name,
      sizeBytes: contentBytesOf(info),
      sha256: canonicalSha256Of(info),
      infoHash: torrent.hashes.v1,
      infoHashV2: torrent.hashes.v2,
      magnet,
    })),
    address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    traffic: () => {
      let [doneBytes, bytesPerSecond, peers] = [0, 0, 0];
      for (const { torrent } of files) {
        const stats = torrent.stats();
        doneBytes += stats.uploadedBytes;
        bytesPerSecond += stats.uploadBytesPerSecond;
        peers += stats.peers;
      }
      return { doneBytes, bytesPerSecond, peers };
    },
    [Symbol.asyncDispose]: () => node.stop(),
  };
}
