/**
 * What a torrent says to its peers about itself, and what it does with their extension messages. Invariant: a new peer
 * hears what we have first and our extensions next (BEP 6 wants this order).
 */
import { encodePort } from '../codec/wire-encode.ts';
import type { Content } from './content/content.ts';
import type { Crowd } from './crowd/crowd.ts';
import type { DhtLink } from './limits/shared.ts';
import { handleExtended, sayExtendedHandshake, type ExtensionHandlers } from './peer/extensions.ts';
import type { Metadata } from './peer/metadata.ts';
import type { Peer } from './peer/peer.ts';

export interface DialogueParts {
  readonly listenPort: number | undefined;
  readonly dht: DhtLink | undefined;
  readonly metadata: Metadata;
  crowd(): Crowd;
  /** Undefined while the metadata is not known. */
  content(): Content | undefined;
}

export class Dialogue {
  readonly #parts: DialogueParts;
  readonly #handlers: ExtensionHandlers;

  constructor(parts: DialogueParts) {
    this.#parts = parts;
    this.#handlers = {
      handshake: (peer, { metadataBytes, yourIp }) => {
        if (yourIp !== undefined) parts.crowd().ownHostTold(yourIp);
        if (metadataBytes !== undefined) parts.metadata.offered(peer, metadataBytes);
        parts.crowd().partFromRedundant([peer]);
      },
      metadata: (peer, message) => parts.metadata.message(peer, message),
      pex: (peer, message) => {
        // Before the metadata we cannot know that it is not private, so a magnet does take peers (BEP 27 binds its users).
        if (!parts.content()?.info.isPrivate) parts.crowd().pexReceived(peer, message);
      },
      dontHave: (peer, piece) => {
        if (peer.pieces.remove(piece)) parts.content()?.downloader.peerLost(peer, piece);
      },
    };
  }

  /** The first messages after our handshake. */
  introduce(peer: Peer): void {
    peer.sayPieces(this.#parts.content()?.store.have);
    this.sayExtensions(peer);
    const { dht } = this.#parts;
    if (dht !== undefined && peer.handshake.dht && !this.#isPrivate) peer.send(encodePort(dht.port));
  }

  /** A piece is in storage. */
  sayHave(piece: number): void {
    for (const peer of this.#parts.crowd().peers) peer.sayHave(piece);
  }

  /** Pieces are gone: peers that do not know how to forget one have to ask again from the start (BEP 54). */
  sayLost(pieces: readonly number[]): void {
    for (const peer of this.#parts.crowd().peers) {
      const unheard = pieces.filter((piece) => !peer.sayDontHave(piece));
      if (unheard.length > 0) peer.connection.close();
    }
  }

  /** We want nothing any more, or something again: a seed shows that by its pieces, others have to say it (BEP 21). */
  sayUploadOnly(): void {
    if (this.#parts.content()?.isComplete === true) return;
    for (const peer of this.#parts.crowd().peers) this.sayExtensions(peer);
  }

  /** A peer told the UDP port of its DHT node (BEP 5). */
  dhtPortHeard(peer: Peer, port: number): void {
    const { remote, transport } = peer.connection;
    if (remote === undefined || transport === 'webrtc' || port === 0 || this.#isPrivate) return;
    this.#parts.dht?.heardOf({ host: remote.host, port });
  }

  get #isPrivate(): boolean {
    return this.#parts.content()?.info.isPrivate ?? false;
  }

  /** Our extended handshake, at the start and whenever what it says has changed (BEP 10). */
  sayExtensions(peer: Peer): void {
    const content = this.#parts.content();
    sayExtendedHandshake(peer, {
      listenPort: this.#parts.listenPort,
      metadataBytes: content?.info.rawInfo.length,
      isPrivate: content?.info.isPrivate ?? false,
      isUploadOnly: content?.isUploadOnly ?? false,
    });
  }

  /** An extension message has come. @throws ProtocolError when it is malformed. */
  extended(peer: Peer, extensionId: number, payload: Uint8Array): void {
    handleExtended(peer, extensionId, payload, this.#handlers);
  }
}
