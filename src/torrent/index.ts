/**
 * The BitTorrent engine. The same code runs in Node and in a browser worker; what differs comes in as ports
 * (`ports.ts`): sockets, storage, hashing, time.
 *
 *     const engine = new Engine({ ports, listenPort: 24244, wake: async (key) => torrentFromDatabase(key) });
 *     server.on('connection', (socket) => engine.accept(toPeerSocket(socket)));
 *
 *     const hashes = await infoHashesOf(info);                                  // from src/codec
 *     const seeded = engine.add({ ...hashes, info, storage, have: 'all' });     // serve what is stored
 *     const { hashes, peers } = await readTorrentSource('magnet:?xt=…');            // from src/codec
 *     const wanted = engine.addByHash({ ...hashes, peers, mode: 'on-demand', openStorage });
 *     wanted.addPeers([{ host: '192.0.2.7', port: 24244 }]);                    // dialled through the dialers
 *     wanted.attach(webRtcSocket);                                              // or a socket that is open already
 *     const info = await wanted.ready(signal);                                  // metadata from peers, verified
 *     for await (const bytes of wanted.read({ start: 0, endExclusive: info.totalBytes, signal })) play(bytes);
 *     const film = wanted.file('film.mkv').read({ start, bytesPerSecond, signal });   // a seek: cancel, read from there
 *     const next = wanted.file('next.mkv').read({ endExclusive: MIB, deadlineMs: 60_000 }); // behind all needed sooner
 *     wanted.select([{ first: 0, last: 2 }]);                                   // these files, no others
 *     wanted.events.on('verified', ({ piece }) => remember(piece));
 *     await wanted.done(signal);                                                // all that is selected is here
 *     await engine.stop();
 *
 * Inside, from the floor up; a room knows those before it:
 *
 * - `ports` and `geometry`: what the engine needs from outside, and the arithmetic of pieces and blocks
 * - `limits`: what all torrents share and may use together: memory, rates, upload slots, jobs, who is banned
 * - `hashes`: v2's trees, and hashes asked for and given (BEP 52); whether a piece is right
 * - `pieces`: the states of a piece, its blocks, hash and write
 * - `peer`: one connection: encryption, handshake, protocol discipline, blocks in and out, extensions, metadata
 * - `reading`: readers, what they need and by when
 * - `download`: which block from whom (`picking`), what is late (`hedging`, `relief`), whose bytes were wrong (`blame`),
 *   HTTP beside the crowd (`web-seeds`), what is wanted although nobody reads it (`wishes`)
 * - `content`: a torrent whose metadata is known: it joins pieces, download and readers; rechecks, letting pieces go
 * - `crowd`: who is let in, dialled, unchoked, told about others and thrown out
 * - here: `greetings` (whose connection is it), `dialogue` and `transfer` (one torrent at work), `torrent` (what users
 *   get of it), `engine` (torrents, dialling, caps and the one timer)
 */
export { Engine, type AddByHashOptions, type AddOptions, type EngineOptions } from './engine.ts';
export { Torrent } from './torrent.ts';
export type { OpenedStorage, TorrentEvents, TorrentOptions } from './content/torrent-types.ts';
export type { AddressRateLimits } from './limits/address-traffic.ts';
export type { RateLimits } from './limits/traffic.ts';
export type { RecheckOptions, RecheckProgress } from './content/upkeep.ts';
export type { FileChoice, FilePriority, TorrentMode } from './download/wishes.ts';
export type { ReadOptions } from './reading/reader.ts';
export { type FileReadOptions, TorrentFile } from './torrent-file.ts';
export { ENCRYPTION_POLICIES, type EncryptionPolicy } from './peer/opening.ts';
export { DEFAULT_LIMITS, type AddressFilter, type DhtLink, type EngineLimits } from './limits/shared.ts';
export type {
  ContentInspection,
  EngineInspection,
  PeerInspection,
  PieceInspection,
  TorrentInspection,
} from './content/inspection.ts';
export type { FileStats, PeerStats, TorrentStats } from './content/stats.ts';
export { HASH_LIMITS } from './hashes/hash-server.ts';
export { HashTrees } from './hashes/hash-trees.ts';
export { makeTorrent, type FileToHash, type MadeTorrent, type TorrentToMake } from './make-torrent.ts';
export { verifierFor, type PieceVerifier } from './hashes/verify.ts';
export { MAX_WEB_SEEDS, type WebSeedInspection } from './download/web-seeds.ts';
export type { WebSeedUse } from './download/web-seeding.ts';
export type {
  Dialer,
  EnginePorts,
  Hasher,
  MseCrypto,
  PeerAddress,
  PeerSocket,
  PeerSocketListener,
  PieceStorage,
  RangeSource,
  TransportKind,
} from './ports.ts';
export type { AddressSource } from '../base/address-policy.ts';
export { systemClock, type Cancel, type Clock } from '../base/clock.ts';
export type { Emitter } from '../base/emitter.ts';
export {
  type ErrorFacts,
  AppError,
  Cancelled,
  Conflict,
  HashMismatch,
  InvalidInput,
  NoSpace,
  NotFound,
  ProtocolError,
  SeveralFailed,
  StorageFailed,
  TimedOut,
  Unavailable,
} from '../base/errors.ts';
export { silentLog, type Log, type LogFields } from '../base/log.ts';
