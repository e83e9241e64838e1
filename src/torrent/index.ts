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
 * Inside, from the wire up: `greetings` (whose connection it is) with `opening`, `dial-order` and `encrypted-socket`;
 * `connection` (bytes, handshake), `peer` (protocol discipline), `block-intake` and `upload-queue` (block bytes in and
 * out), `piece-store` (piece states, hash, write), `downloader` and `picking` (which block from whom) with
 * `rarest-first`, `readers`, `reading-window`, `pipeline`, `arrival`, `taking-back`; `hedging` and `relief` (a second
 * source for what is late) with `owed-blocks`, `giving-way`, `reliability`, `lapses`; `web-seeds` and `web-seeding`
 * (HTTP beside the crowd); `crowd` (who is let in, dialled, unchoked) with `choking`, `stalled-readers`, `bans`,
 * `candidates`, `peer-exchange`; `blame` and `suspicion` (whose bytes were wrong); `metadata`; `instructions` and
 * `wishes` (what is fetched unread: mode, files, pause) with `completion`; `upkeep` (rechecks, letting pieces go);
 * `content-hashes` (v2: `hash-trees`, `hash-fetch`, `hash-server`, `hash-refusals`, `leaf-checks`), which
 * `verified-pieces` joins to the pieces; `traffic` with `rate` and `address-traffic` (limits); `identity` (v1, v2 or
 * both); `dialogue`, `content` and `transfer` join them; `torrent` is what users get of it; `engine` owns torrents,
 * dialling, caps and the one timer.
 */
export { Engine, type AddByHashOptions, type AddOptions, type EngineOptions } from './engine.ts';
export { Torrent } from './torrent.ts';
export type { OpenedStorage, TorrentEvents, TorrentOptions } from './torrent-types.ts';
export type { AddressRateLimits } from './address-traffic.ts';
export type { RateLimits } from './traffic.ts';
export type { RecheckOptions, RecheckProgress } from './upkeep.ts';
export type { FileChoice, FilePriority, TorrentMode } from './wishes.ts';
export type { ReadOptions } from './reader.ts';
export { type FileReadOptions, TorrentFile } from './torrent-file.ts';
export { ENCRYPTION_POLICIES, type EncryptionPolicy } from './opening.ts';
export { DEFAULT_LIMITS, type AddressFilter, type DhtLink, type EngineLimits } from './shared.ts';
export type {
  ContentInspection,
  EngineInspection,
  PeerInspection,
  PieceInspection,
  TorrentInspection,
  WebSeedInspection,
} from './inspection.ts';
export type { FileStats, PeerStats, TorrentStats } from './stats.ts';
export { HASH_LIMITS } from './hash-server.ts';
export { HashTrees } from './hash-trees.ts';
export { makeTorrent, type FileToHash, type MadeTorrent, type TorrentToMake } from './make-torrent.ts';
export { verifierFor, type PieceVerifier } from './verify.ts';
export type { WebSeedUse } from './web-seeding.ts';
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
  StorageFailed,
  TimedOut,
  Unavailable,
} from '../base/errors.ts';
export { silentLog, type Log, type LogFields } from '../base/log.ts';
