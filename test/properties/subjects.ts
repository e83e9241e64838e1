/** Every parser that reads strangers' bytes, with valid messages to spoil and the worst inputs we can think of. */
import { hash } from 'node:crypto';
import { concatBytes, fromLatin1, fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import * as codec from '../../src/codec/index.ts';
import { decodeKrpc, encodeKrpc } from '../../src/codec/krpc.ts';
import { decodeMemory, encodeMemory } from '../../src/dht/memory.ts';
import type { Subject } from './harness/trial.ts';

const key = parseSwarmKey('0123456789abcdef0123456789abcdef01234567');
const peerId = utf8('-SB0100-abcdefghijkl');
const id20 = new Uint8Array(20).fill(7);
const address = { host: '192.0.2.7', port: 6881 };
const address6 = { host: '2001:db8::7', port: 6881 };

const latin = (text: string): Uint8Array => fromLatin1(text);
const repeated = (text: string, sizeBytes: number): Uint8Array =>
  latin(text.repeat(Math.ceil(sizeBytes / text.length)).slice(0, sizeBytes));
/** As many small values as fit. */
const crowded = (opening: string, item: string, closing: string, sizeBytes: number): Uint8Array =>
  concatBytes([latin(opening), repeated(item, sizeBytes), latin(closing)]);

// Torrents.

function torrent(format: codec.TorrentFormat, fileCount: number): { info: Uint8Array; metainfo: Uint8Array } {
  const pieceLengthBytes = 32 * KIB;
  const files = Array.from({ length: fileCount }, (_, at) => ({
    path: fileCount === 1 ? ['film.mp4'] : ['series', `part ${at}.mkv`],
    lengthBytes: 40_000 + at,
    piecesRoot: format === 'v1' ? undefined : new Uint8Array(hash('sha256', `root ${at}`, 'buffer')),
  }));
  const sorted = codec.inTorrentOrder(files);
  const flatBytes = sorted.reduce((sum, { lengthBytes }, at) => {
    const isPadded = format === 'hybrid' && at < sorted.length - 1;
    return sum + lengthBytes + (isPadded ? codec.padBytesBehind(lengthBytes, pieceLengthBytes) : 0);
  }, 0);
  const pieces = new Uint8Array(20 * Math.ceil(flatBytes / pieceLengthBytes));
  const name = fileCount === 1 ? 'film.mp4' : 'series';
  const info = codec.makeInfo({ format, name, pieceLengthBytes, files: sorted, pieces });
  const layers = new Map(
    sorted.map(({ piecesRoot }) => [Buffer.from(piecesRoot ?? []).toString('hex'), new Uint8Array(64)]),
  );
  const metainfo = codec.writeMetainfo({
    rawInfo: info,
    trackers: [['http://tracker.example/announce'], ['udp://tracker.example:80']],
    webSeeds: ['https://cdn.example/film.mp4'],
    comment: 'ein Film',
    ...(format !== 'v1' && { pieceLayers: layers }),
  });
  return { info, metainfo };
}

const torrents = (['v1', 'v2', 'hybrid'] as const).flatMap((format) => [torrent(format, 1), torrent(format, 5)]);

/** Bencode that costs: depth, many values, long numbers, many keys, far lengths. */
const BENCODE_EXTREMES = [
  repeated('l', MIB),
  repeated('d1:a', MIB),
  crowded('l', 'i1e', 'e', 8 * MIB),
  crowded('l', 'le', 'e', 8 * MIB),
  crowded('l', '0:', 'e', 8 * MIB),
  crowded('l', 'de', 'e', 4 * MIB),
  latin(`i${'9'.repeat(MIB)}e`),
  latin(`${'9'.repeat(MIB)}:a`),
  latin('8388608:a'),
  latin(`d8000000:${'k'.repeat(8_000_000)}i1ee`),
  crowded('l', `d4000:${'k'.repeat(4_000)}i1ee`, 'e', 8 * MIB),
  latin(`d${Array.from({ length: 100_000 }, (_, at) => `8:${String(at).padStart(8, '0')}i1e`).join('')}e`),
];

/** An info dictionary around something. */
const infoWith = (inner: string): Uint8Array => latin(`d4:infod${inner}ee`);
/** 20,000 files of a v2 tree, each in a folder of its own, all names as long as this. */
const deepTree = (nameBytes: number): string => {
  const file = `d0:d6:lengthi1e11:pieces root32:${'r'.repeat(32)}ee`;
  const name = (at: number): string => `${nameBytes}:${String(at).padStart(nameBytes, '0')}`;
  return Array.from({ length: 20_000 }, (_, at) => `${name(at)}d${name(at)}${file}e`).join('');
};
const METAINFO_EXTREMES = [
  ...BENCODE_EXTREMES,
  infoWith(`9:file treed${deepTree(8)}e12:meta versioni2e4:name1:a12:piece lengthi16384e`),
  infoWith(`9:file treed${deepTree(100)}e12:meta versioni2e4:name1:a12:piece lengthi16384e`),
  infoWith(
    `5:filesl${'d6:lengthi1e4:pathl1:aee'.repeat(20_000)}e4:name1:a12:piece lengthi16384e6:pieces20:${'h'.repeat(20)}`,
  ),
  infoWith(`5:filesl${'d6:lengthi1e4:pathl1:aee'.repeat(200_000)}e4:name1:a12:piece lengthi16384e6:pieces0:`),
  infoWith(`5:filesld6:lengthi1e4:pathl${'1:a'.repeat(200_000)}eee4:name1:a12:piece lengthi16384e6:pieces0:`),
  infoWith(`6:lengthi9007199254740991e4:name1:a12:piece lengthi16384e6:pieces20:${'h'.repeat(20)}`),
  infoWith(`9:file tree${'d1:a'.repeat(2_000)}${'e'.repeat(2_000)}12:meta versioni2e4:name1:a12:piece lengthi16384e`),
  latin(`d13:announce-list${'l'.repeat(30)}${'e'.repeat(30)}4:infodee`),
];

// Messages of peers.

/** Reads the wire and keeps the last message, as a peer does that acts on each at once. */
function readWire(bytes: Uint8Array): unknown {
  let heard: unknown;
  const hear = (...message: unknown[]): void => void (heard = message);
  const reader = new codec.WireReader({
    handshake: hear,
    message: hear,
    request: hear,
    blockStart: hear,
    blockBytes: () => undefined,
  });
  reader.feed(bytes);
  return heard;
}

const handshake = codec.encodeHandshake({ swarmKey: key, peerId, fast: true, extensions: true, dht: true, v2: false });
const block = { piece: 3, offsetBytes: 16_384, lengthBytes: 16_384 };
const hashRequest = { piecesRoot: new Uint8Array(32).fill(9), baseLayer: 0, index: 512, length: 512, proofLayers: 4 };
const wire = (...messages: Uint8Array[]): Uint8Array => concatBytes([handshake, ...messages]);
const extendedHandshake = codec.encodeExtendedHandshake({
  extensions: { ut_metadata: 2, ut_pex: 1, lt_donthave: 7 },
  client: 'Seedbed 0.1',
  listenPort: 6881,
  requestQueue: 500,
  metadataBytes: 31_235,
  yourIp: '192.0.2.1',
  uploadOnly: true,
});
const pex = codec.encodePexMessage({
  added: [
    { address, flags: 3 },
    { address: address6, flags: 16 },
  ],
  dropped: [address, address6],
});

// Messages of trackers and the DHT.

const announce = {
  swarmKey: key,
  peerId,
  port: 6881,
  uploadedBytes: 1,
  downloadedBytes: 2,
  leftBytes: 3,
  event: 'started',
  numWant: 50,
} as const;
const queryOf = (url: string): Uint8Array => latin(new URL(url).search.slice(1));
const counts = { seeders: 3, leechers: 4, completed: 5 };
const latinId = codec.latinIdOf(id20);
const wsServer = (message: codec.WsServerMessage): Uint8Array => utf8(codec.encodeWsServerMessage(message));
const wsClient = (message: codec.WsClientMessage): Uint8Array => utf8(codec.encodeWsClientMessage(message));
const answerHead = { intervalSec: 1_800, seeders: 3, leechers: 4 };

/** Text as it would come from a socket: Latin-1, so that every byte is a character. */
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'bencode',
    corpus: [...torrents.map(({ metainfo }) => metainfo), latin('d1:ai-12e1:bl3:abcdeee')],
    extremes: BENCODE_EXTREMES,
    parse: (bytes) => codec.decodeBencode(bytes),
  },
  {
    name: 'a .torrent file (v1, v2, hybrid)',
    corpus: torrents.map(({ metainfo }) => metainfo),
    extremes: METAINFO_EXTREMES,
    parse: (bytes) => codec.parseMetainfo(bytes),
  },
  {
    name: 'an info dictionary (v1, v2, hybrid)',
    corpus: torrents.map(({ info }) => info),
    extremes: METAINFO_EXTREMES.map((bytes) => bytes.subarray(7, -1)),
    parse: (bytes) => codec.parseTorrentInfo(bytes),
  },
  {
    name: 'a magnet link',
    corpus: [
      latin(`magnet:?xt=urn:btih:${key}&dn=Ein%20Film&xl=1000&tr=udp%3A%2F%2Ftracker.example%3A80&so=0,3-5,9`),
      latin(`magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}&ws=https%3A%2F%2Fcdn.example%2Fa&x.pe=192.0.2.7:6881`),
      latin(`magnet:?xt=urn:btih:AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYU&x.pe=[2001:db8::7]:80&xs=https://a.example/b`),
    ],
    extremes: [
      latin(`magnet:?xt=urn:btih:${key}&so=0-49999999`),
      repeated(`magnet:?xt=urn:btih:${key}&`, 8_190),
      repeated('magnet:?dn=%', 8_190),
      concatBytes([latin('magnet:?xt=urn:btih:'), repeated('a', MIB)]),
      repeated(`magnet:?so=${'1,'.repeat(4_000)}`, 8_190),
    ],
    parse: (bytes) => codec.parseMagnet(textOf(bytes)),
  },
  {
    name: 'the peer wire',
    corpus: [
      wire(
        codec.encodeSignal('haveAll'),
        codec.encodeSignal('unchoke'),
        codec.encodeBlockRefs('request', [block, block]),
      ),
      wire(codec.encodeBitfield(codec.Bitfield.full(99)), codec.encodePieceIndex('have', 5), codec.encodeKeepAlive()),
      wire(codec.encodeExtended(0, extendedHandshake), codec.encodeExtended(1, pex), codec.encodePort(6881)),
      wire(
        codec.encodeHashRequest('hashRequest', hashRequest),
        codec.encodeHashes(hashRequest, new Uint8Array(32 * 514)),
      ),
      wire(codec.layOutPieces([block]).bytes, codec.encodeBlockRefs('reject', [block])),
    ],
    extremes: [
      wire(new Uint8Array(4 * MIB)),
      wire(repeated('\0\0\0\x05\x04\0\0\0\x01', MIB)),
      wire(latin('\0\x0f\xff\xff\x14'), new Uint8Array(MIB)),
      wire(latin('\xff\xff\xff\xff\x05')),
    ],
    parse: readWire,
  },
  { name: 'a handshake', corpus: [handshake], parse: (bytes) => codec.decodeHandshake(bytes) },
  {
    name: 'a bitfield',
    corpus: [codec.Bitfield.full(99).toBytes(), new Uint8Array(13)],
    extremes: [new Uint8Array(8 * MIB)],
    parse: (bytes) => codec.Bitfield.fromBytes(bytes, 99),
  },
  {
    name: 'an extension handshake (BEP 10)',
    corpus: [extendedHandshake],
    extremes: BENCODE_EXTREMES.map((bytes) => bytes.subarray(0, MIB)),
    parse: (bytes) => codec.decodeExtendedHandshake(bytes),
  },
  {
    name: 'a metadata message (BEP 9)',
    corpus: [
      codec.encodeMetadataMessage({ type: 'request', piece: 1 }),
      codec.encodeMetadataMessage({ type: 'reject', piece: 1 }),
      codec.encodeMetadataMessage({ type: 'data', piece: 1, totalBytes: 17_000, bytes: new Uint8Array(616) }),
    ],
    extremes: BENCODE_EXTREMES.map((bytes) => bytes.subarray(0, MIB)),
    parse: (bytes) => codec.decodeMetadataMessage(bytes),
  },
  {
    name: 'a peer exchange (BEP 11)',
    corpus: [pex],
    extremes: [latin(`d5:added1044000:${'a'.repeat(1_044_000)}e`), repeated('d5:added', MIB)],
    parse: (bytes) => codec.decodePexMessage(bytes),
  },
  { name: 'a lost piece (BEP 54)', corpus: [codec.encodeDontHave(7)], parse: (bytes) => codec.decodeDontHave(bytes) },
  {
    name: 'a hash request (BEP 52)',
    corpus: [codec.encodeHashRequestBody(hashRequest)],
    parse: (bytes) => codec.decodeHashRequest(bytes),
  },
  {
    name: 'hashes (BEP 52)',
    corpus: [codec.encodeHashesBody(hashRequest, new Uint8Array(32 * 514))],
    extremes: [codec.encodeHashesBody(hashRequest, new Uint8Array(MIB))],
    parse: (bytes) => codec.decodeHashes(bytes),
  },
  {
    name: 'what a DHT node remembers (BEP 5)',
    corpus: [
      encodeMemory({
        id: id20,
        contacts: [
          { id: id20, address },
          { id: id20, address: address6 },
        ],
      }),
    ],
    extremes: BENCODE_EXTREMES,
    parse: (bytes) => decodeMemory(bytes),
  },
  {
    name: 'a DHT packet (BEP 5)',
    corpus: [
      encodeKrpc({
        kind: 'query',
        transactionId: latin('aa'),
        senderId: id20,
        isReadOnly: true,
        question: { method: 'announce_peer', swarmKey: key, port: 6881, token: latin('token') },
      }),
      encodeKrpc({
        kind: 'query',
        transactionId: latin('ab'),
        senderId: id20,
        isReadOnly: false,
        question: { method: 'find_node', target: id20, want: ['v4', 'v6'] },
      }),
      encodeKrpc({
        kind: 'answer',
        transactionId: latin('ac'),
        senderId: id20,
        contacts: [
          { id: id20, address },
          { id: id20, address: address6 },
        ],
        peers: [address],
        token: latin('token'),
        observed: address6,
      }),
      encodeKrpc({ kind: 'error', transactionId: latin('ad'), code: 203, reason: 'no', observed: address }),
    ],
    extremes: [...BENCODE_EXTREMES, repeated('d1:ad2:id', 4_096)],
    parse: (bytes) => decodeKrpc(bytes),
  },
  {
    name: "an HTTP tracker's answer",
    corpus: [
      codec.encodeCompactAnswer(answerHead, codec.encodeCompactPeer(address), codec.encodeCompactPeer(address6)),
      codec.encodeDictionaryAnswer(answerHead, [{ address, peerId }]),
      codec.encodeHttpFailure('not here'),
    ],
    extremes: [...BENCODE_EXTREMES, latin(`d8:intervali1e5:peers6000000:${'a'.repeat(6_000_000)}e`)],
    parse: (bytes) => codec.decodeHttpAnswer(bytes),
  },
  {
    name: "an HTTP tracker's scrape",
    corpus: [codec.encodeHttpScrape(new Map([[key, counts]]))],
    extremes: BENCODE_EXTREMES,
    parse: (bytes) => codec.decodeHttpScrape(bytes),
  },
  {
    name: 'an announce at our HTTP tracker',
    corpus: [
      queryOf(codec.formatHttpAnnounce('http://t.example/announce', { ...announce, compact: true, noPeerId: false })),
    ],
    extremes: [repeated('info_hash=%', 8_000), repeated('&', MIB), repeated('a=%41&', 8_000)],
    parse: (bytes) => codec.parseHttpAnnounce(textOf(bytes)),
  },
  {
    name: 'a scrape at our HTTP tracker',
    corpus: [queryOf(codec.formatHttpScrape('http://t.example/announce', [key, key]) ?? 'http://t.example/?')],
    extremes: [repeated('info_hash=%', 8_000), repeated(`info_hash=${'a'.repeat(20)}&`, MIB)],
    parse: (bytes) => codec.parseHttpScrape(textOf(bytes)),
  },
  {
    name: "a UDP tracker's answer to an announce",
    corpus: [
      codec.encodeUdpAnswer({
        type: 'announce',
        transactionId: 1,
        ...answerHead,
        peers: codec.encodeCompactPeer(address),
      }),
      codec.encodeUdpAnswer({ type: 'error', transactionId: 1, reason: 'no' }),
    ],
    extremes: [concatBytes([latin('\0\0\0\x01'), new Uint8Array(65_516)])],
    parse: (bytes) => codec.decodeUdpAnnounceAnswer(bytes, 'v4'),
  },
  {
    name: "a UDP tracker's answer to a scrape",
    corpus: [codec.encodeUdpAnswer({ type: 'scrape', transactionId: 1, counts: [counts, counts] })],
    parse: (bytes) => codec.decodeUdpScrapeAnswer(bytes),
  },
  {
    name: "a UDP tracker's answer to a connect",
    corpus: [codec.encodeUdpAnswer({ type: 'connect', transactionId: 1, connectionId: new Uint8Array(8) })],
    parse: (bytes) => codec.decodeUdpConnectAnswer(bytes),
  },
  {
    name: 'a request at our UDP tracker',
    corpus: [
      codec.encodeUdpRequest({ type: 'connect', transactionId: 1 }),
      codec.encodeUdpRequest({
        type: 'announce',
        transactionId: 1,
        connectionId: new Uint8Array(8),
        ...announce,
        key: 9,
        urlData: '/announce?a=b',
      }),
      codec.encodeUdpRequest({
        type: 'scrape',
        transactionId: 1,
        connectionId: new Uint8Array(8),
        swarmKeys: [key, key],
      }),
    ],
    extremes: [new Uint8Array(65_507), repeated('\x02\x01a', 65_507)],
    parse: (bytes) => codec.decodeUdpRequest(bytes),
  },
  {
    name: 'a message at our WebSocket tracker',
    corpus: [
      wsClient({
        type: 'announce',
        swarmKey: key,
        peerId: latinId,
        event: 'started',
        uploadedBytes: 0,
        downloadedBytes: 0,
        leftBytes: 1,
        offers: [{ offerId: latinId, sdp: 'v=0' }],
        trickle: true,
      }),
      wsClient({ type: 'answer', swarmKey: key, peerId: latinId, offerId: latinId, toPeerId: latinId, sdp: 'v=0' }),
      wsClient({ type: 'scrape', swarmKeys: [key] }),
    ],
    extremes: [repeated('[', 64 * KIB), repeated('{"a":', 64 * KIB), repeated('[1,', 64 * KIB), repeated('"', 8 * MIB)],
    parse: (bytes) => codec.decodeWsClientMessage(fromUtf8(bytes)),
  },
  {
    name: 'a message of a WebSocket tracker',
    corpus: [
      wsServer({ type: 'announced', swarmKey: key, ...answerHead }),
      wsServer({ type: 'offer', swarmKey: key, peerId: latinId, offerId: latinId, sdp: 'v=0', trickle: true }),
      wsServer({ type: 'scraped', files: new Map([[key, counts]]) }),
      wsServer({ type: 'failed', reason: 'no' }),
    ],
    extremes: [repeated('[', 64 * KIB), repeated('{"a":', 64 * KIB), repeated('"', 8 * MIB)],
    parse: (bytes) => codec.decodeWsServerMessage(fromUtf8(bytes)),
  },
  {
    name: 'compact peers',
    corpus: [codec.encodeCompactPeer(address), concatBytes([codec.encodeCompactPeer(address), new Uint8Array(6)])],
    extremes: [new Uint8Array(6 * 10_000)],
    parse: (bytes) => codec.decodeCompactPeers(bytes, 'v4'),
  },
];
