/**
 * Checks an engine's books against each other: the same block, buffer or piece is counted in several places, and all
 * of them must tell the same.
 */
import type {
  ContentInspection,
  EngineInspection,
  PeerInspection,
  PieceInspection,
  TorrentInspection,
} from '../../../src/torrent/index.ts';
import type { Referee } from './referee.ts';

/** A peer that brings nothing loses its requests after 10 s, looked at once a second. */
const LONGEST_SILENCE_MS = 12_500;
/** Buffers are a little larger than what they hold. */
const GRAIN_BYTES = 4_096;
/** 64 blocks with their headers. */
const LARGEST_BATCH_BYTES = 64 * (16 * 1024 + 13) + GRAIN_BYTES;

/** Looks at everything an engine tells about itself. `sizeOf` says how long a piece of a torrent is, in bytes. */
export function auditBooks(
  name: string,
  engine: EngineInspection,
  sizeOf: (torrent: TorrentInspection, piece: number) => number,
  referee: Referee,
): void {
  auditLimits(name, engine, referee);
  let [leastBytes, mostBytes] = [0, 0];
  for (const torrent of engine.torrents) {
    const { content } = torrent;
    if (content === undefined) continue;
    auditPieceStates(name, content, referee);
    auditAskedBlocks(name, content, torrent.peers, referee);
    for (const { bufferBytes } of content.active)
      [leastBytes, mostBytes] = [leastBytes + bufferBytes, mostBytes + bufferBytes];
    for (const piece of [...content.checking, ...content.verified]) {
      leastBytes += sizeOf(torrent, piece);
      mostBytes += sizeOf(torrent, piece) + GRAIN_BYTES;
    }
    // Some wait for their buffer.
    for (const piece of content.rechecking) mostBytes += sizeOf(torrent, piece) + GRAIN_BYTES;
  }
  referee.check(
    engine.pieceBufferBytes >= leastBytes && engine.pieceBufferBytes <= mostBytes,
    'lent buffers are accounted for',
    () => `${name}: ${engine.pieceBufferBytes} bytes lent for pieces that need ${leastBytes} to ${mostBytes}`,
  );
}

function auditLimits(name: string, engine: EngineInspection, referee: Referee): void {
  const { limits } = engine;
  const within = (what: string, count: number, limit: number): void =>
    referee.check(count <= limit, 'limits hold', () => `${name}: ${count} ${what}, limit ${limit}`);
  within('connections', engine.connections, limits.maxConnections);
  within('incoming handshakes', engine.incomingHandshakes, limits.maxGreetings);
  within('addresses being dialled', engine.dialling, limits.maxHalfOpen);
  within('hash jobs', engine.hashJobs, limits.maxHashJobs);
  within('bytes of hash trees kept', engine.leafCacheBytes, limits.leafCacheBytes);
  for (const torrent of engine.torrents)
    within('peers of a torrent', torrent.peers.length, limits.maxConnectionsPerTorrent);
}

/** Lent bytes against the budget, but that one buffer is always granted: a piece, or a batch of blocks. */
export function auditBudgets(name: string, engine: EngineInspection, pieceBytes: number, referee: Referee): void {
  const { limits, pieceBufferBytes, serveBufferBytes } = engine;
  const holds =
    pieceBufferBytes <= Math.max(limits.pieceBufferBytes, pieceBytes + GRAIN_BYTES) &&
    serveBufferBytes <= Math.max(limits.serveBufferBytes, LARGEST_BATCH_BYTES);
  referee.check(holds, 'limits hold', () => `${name}: ${pieceBufferBytes} and ${serveBufferBytes} bytes lent`);
}

/** What each peer owes by the engine's books, against what was said on the wire; undefined = that cannot be told. */
export function auditWire(
  name: string,
  engine: EngineInspection,
  owedBy: (torrent: TorrentInspection, address: string) => number | undefined,
  referee: Referee,
): void {
  for (const torrent of engine.torrents)
    for (const { address, asked } of torrent.peers) {
      const said = owedBy(torrent, `${address?.host}:${address?.port}`) ?? asked.length;
      referee.check(
        said === asked.length,
        'books and wire agree',
        () => `${name}: ${address?.host} owes ${asked.length} blocks by the books, ${said} by what was said`,
      );
    }
}

/** Who is paused has no peers and waits for no answer; `isSilent` = it was paused before this instant. */
export function auditPause(name: string, torrent: TorrentInspection, isSilent: boolean, referee: Referee): void {
  const busySeeds = torrent.content?.webSeeds.filter(({ asked }) => asked.length > 0) ?? [];
  referee.check(
    !isSilent || (torrent.peers.length === 0 && busySeeds.length === 0),
    'a paused torrent asks and serves nothing',
    () => `${name}: ${torrent.peers.length} peers, ${busySeeds.length} web seeds at work`,
  );
}

function auditPieceStates(name: string, content: ContentInspection, referee: Referee): void {
  const states = new Map<number, string>();
  const enter = (piece: number, state: string): void => {
    const earlier = states.get(piece) ?? (content.held(piece) ? 'held' : undefined);
    referee.check(
      earlier === undefined,
      'a piece is in exactly one state',
      () => `${name}: piece ${piece} is ${earlier} and ${state}`,
    );
    states.set(piece, state);
  };
  for (const { piece } of content.active) enter(piece, 'active');
  for (const piece of content.checking) enter(piece, 'being checked');
  for (const piece of content.verified) enter(piece, 'verified');
}

function auditAskedBlocks(
  name: string,
  content: ContentInspection,
  peers: readonly PeerInspection[],
  referee: Referee,
): void {
  const askers = new Map<number, number>();
  for (const peer of peers) {
    referee.check(
      peer.silentMs <= LONGEST_SILENCE_MS,
      'what is asked is answered or given up',
      () => `${name}: ${peer.asked.length} blocks asked of ${peer.address?.host} for ${peer.silentMs} ms`,
    );
    for (const key of peer.asked)
      if (key !== peer.receiving || isOpen(content, key)) askers.set(key, (askers.get(key) ?? 0) + 1);
  }
  // An HTTP answer cannot be thinned out: it goes on over blocks that others have brought meanwhile.
  for (const seed of content.webSeeds)
    for (const key of seed.asked) if (isOpen(content, key)) askers.set(key, (askers.get(key) ?? 0) + 1);
  const blame = (key: number): string => `${name}: block ${key} asked of ${askedOf(key, content, peers)}`;
  for (const piece of content.active)
    auditPiece(piece, content.blocksPerPiece, askers, (key, state) =>
      referee.broken('every asked block is in its books', `${blame(key)}, but ${state} in its piece`),
    );
  for (const key of askers.keys())
    referee.broken('every asked block is in its books', `${blame(key)}, but its piece is not begun`);
}

/** Who should bring the block, for reports. */
function askedOf(key: number, content: ContentInspection, peers: readonly PeerInspection[]): string {
  const askers = [
    ...peers.filter(({ asked }) => asked.includes(key)).map(({ id, address }) => `peer ${id} (${address?.host})`),
    ...content.webSeeds.filter(({ asked }) => asked.includes(key)).map(({ label }) => label),
  ];
  return askers.length === 0 ? 'nobody' : askers.join(', ');
}

/** Whether the block is still waited for: not received, in a piece that is begun. */
function isOpen(content: ContentInspection, key: number): boolean {
  const index = Math.floor(key / content.blocksPerPiece);
  const piece = content.active.find((active) => active.piece === index);
  return typeof piece?.blocks[key - index * content.blocksPerPiece] === 'number';
}

/** Compares one piece with those asked for it, and takes them off the list. */
function auditPiece(
  piece: PieceInspection,
  blocksPerPiece: number,
  askers: Map<number, number>,
  differs: (key: number, state: string) => void,
): void {
  let [free, received] = [0, 0];
  for (const [block, state] of piece.blocks.entries()) {
    const key = piece.piece * blocksPerPiece + block;
    const asked = askers.get(key) ?? 0;
    askers.delete(key);
    if (state === 'received') received++;
    else if (state === 0) free++;
    if (asked !== (state === 'received' ? 0 : state)) differs(key, `${state}`);
  }
  if (free !== piece.freeBlocks || received !== piece.receivedBlocks)
    differs(piece.piece * blocksPerPiece, `${piece.freeBlocks} blocks free, ${piece.receivedBlocks} received`);
}
