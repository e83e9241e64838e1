/**
 * The extension protocol of one torrent (BEP 10): our extended handshake, and who handles which message. Ids are those
 * the receiver chose, so what comes in carries ours.
 */
import { ProtocolError } from '../../base/errors.ts';
import {
  decodeDontHave,
  decodeExtendedHandshake,
  decodeMetadataMessage,
  decodePexMessage,
  encodeExtendedHandshake,
  type ExtendedHandshake,
  type MetadataMessage,
  type PexMessage,
} from '../../codec/extension.ts';
import { encodeExtended } from '../../codec/wire-encode.ts';
import type { Peer } from './peer.ts';
import { REQUEST_QUEUE_LIMIT } from './upload-queue.ts';

const OUR_IDS = { ut_metadata: 1, ut_pex: 2, lt_donthave: 3 } as const;
const CLIENT = 'Seedbed 0.1';

export interface ExtensionHandlers {
  handshake(peer: Peer, handshake: ExtendedHandshake): void;
  metadata(peer: Peer, message: MetadataMessage): void;
  pex(peer: Peer, message: PexMessage): void;
  dontHave(peer: Peer, piece: number): void;
}

/** What we say about ourselves. */
export interface OwnSituation {
  readonly listenPort: number | undefined;
  readonly metadataBytes: number | undefined;
  readonly isPrivate: boolean;
  readonly isUploadOnly: boolean;
}

/** Sends our extended handshake to a peer that speaks the protocol. */
export function sayExtendedHandshake(peer: Peer, own: OwnSituation): void {
  if (!peer.handshake.extensions) return;
  const { ut_pex: pexId, ...always } = OUR_IDS;
  const host = peer.connection.remote?.host;
  const payload = encodeExtendedHandshake({
    extensions: own.isPrivate ? always : { ...always, ut_pex: pexId },
    client: CLIENT,
    requestQueue: REQUEST_QUEUE_LIMIT,
    uploadOnly: own.isUploadOnly,
    ...(own.listenPort !== undefined && { listenPort: own.listenPort }),
    ...(own.metadataBytes !== undefined && { metadataBytes: own.metadataBytes }),
    ...(host !== undefined && { yourIp: host }),
  });
  peer.send(encodeExtended(0, payload));
}

/** Reads one extension message and hands it on. @throws ProtocolError when it is malformed. */
export function handleExtended(
  peer: Peer,
  extensionId: number,
  payload: Uint8Array,
  handlers: ExtensionHandlers,
): void {
  if (!peer.handshake.extensions) throw new ProtocolError('extension message without the extension protocol');
  switch (extensionId) {
    case 0:
      return handlers.handshake(peer, takeHandshake(peer, decodeExtendedHandshake(payload)));
    case OUR_IDS.ut_metadata: {
      const message = decodeMetadataMessage(payload);
      if (message !== undefined) handlers.metadata(peer, message);
      return;
    }
    case OUR_IDS.ut_pex:
      return handlers.pex(peer, decodePexMessage(payload));
    case OUR_IDS.lt_donthave:
      return handlers.dontHave(peer, decodeDontHave(payload));
    default:
      // Ids we never gave away: BEP 10 says to ignore.
      return;
  }
}

/** Keeps what later handshakes leave out; id 0 switches an extension off. */
function takeHandshake(peer: Peer, handshake: ExtendedHandshake): ExtendedHandshake {
  const ids = Object.entries({ ...peer.extensionIds, ...handshake.extensions }).filter(([, id]) => id !== 0);
  peer.extensionIds = Object.fromEntries(ids);
  if (handshake.client !== undefined) peer.client = handshake.client;
  if (handshake.requestQueue !== undefined) peer.requestQueueLimit = handshake.requestQueue;
  if (handshake.uploadOnly !== undefined) peer.isUploadOnly = handshake.uploadOnly;
  const remote = peer.connection.remote;
  if (!peer.isOutgoing && remote !== undefined && handshake.listenPort !== undefined)
    peer.listenAddress = { host: remote.host, port: handshake.listenPort };
  return handshake;
}
