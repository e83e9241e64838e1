/**
 * A peer that does what a test tells it, over the real wire format: for protocol violations that no engine of ours
 * would commit. It records everything it is told.
 */
import { ProtocolError } from '../../src/base/errors.ts';
import { encodeHandshake, type Handshake } from '../../src/codec/handshake.ts';
import { encodeExtended, encodeExtendedHandshake, type ExtendedHandshake } from '../../src/codec/index.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { encodeBlockRefs, encodeSignal, writePieceHeader } from '../../src/codec/wire-encode.ts';
import { WireReader, type BlockRef, type PeerMessage } from '../../src/codec/wire.ts';
import type { SwarmKey } from '../../src/base/ids.ts';
import type { PeerSocket } from '../../src/torrent/ports.ts';

export interface ScriptedOptions {
  readonly swarmKey: SwarmKey;
  readonly fast?: boolean;
  readonly extensions?: boolean;
  readonly dht?: boolean;
  readonly v2?: boolean;
  readonly peerId?: Uint8Array;
}

export class ScriptedPeer {
  readonly messages: PeerMessage[] = [];
  readonly requests: BlockRef[] = [];
  readonly blocks: { readonly ref: BlockRef; readonly bytes: Uint8Array }[] = [];
  handshake: Handshake | undefined;
  isClosed = false;
  /** Called for each request; the default does nothing. */
  onRequest: (request: BlockRef) => void = () => undefined;
  onMessage: (message: PeerMessage) => void = () => undefined;
  /** Called for each block that has come. */
  onBlock: () => void = () => undefined;
  readonly socket: PeerSocket;
  #incoming: { readonly ref: BlockRef; readonly bytes: Uint8Array; at: number } | undefined;

  /**
   * One that does not remember keeps no message, request or block: for peers that talk for hours. What is no message,
   * such as an encrypted handshake, is a fault of the test unless the peer closes on nonsense.
   */
  constructor(
    socket: PeerSocket,
    {
      remembers = true,
      closesOnNonsense = false,
    }: { readonly remembers?: boolean; readonly closesOnNonsense?: boolean } = {},
  ) {
    this.socket = socket;
    const reader = new WireReader({
      handshake: (handshake) => (this.handshake = handshake),
      message: (message) => {
        if (remembers) this.messages.push(message);
        this.onMessage(message);
      },
      request: (piece, offsetBytes, lengthBytes) => {
        const request = { piece, offsetBytes, lengthBytes };
        if (remembers) this.requests.push(request);
        this.onRequest(request);
      },
      blockStart: (piece, offsetBytes, lengthBytes) => {
        const ref = { piece, offsetBytes, lengthBytes };
        if (remembers) this.#incoming = { ref, bytes: new Uint8Array(lengthBytes), at: 0 };
      },
      blockBytes: (bytes, isLast) => {
        if (isLast) this.onBlock();
        const incoming = this.#incoming;
        if (incoming === undefined) return;
        incoming.bytes.set(bytes, incoming.at);
        incoming.at += bytes.length;
        if (isLast) this.blocks.push({ ref: incoming.ref, bytes: incoming.bytes });
      },
    });
    socket.listen({
      received: (bytes) => {
        try {
          reader.feed(bytes);
        } catch (error) {
          if (!closesOnNonsense || !(error instanceof ProtocolError)) throw error;
          this.isClosed = true;
          socket.close();
        }
      },
      drained: () => undefined,
      closed: () => (this.isClosed = true),
    });
  }

  send(bytes: Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  sayHello({
    swarmKey,
    fast = true,
    extensions = false,
    dht = false,
    v2 = false,
    peerId = createPeerId(),
  }: ScriptedOptions): this {
    return this.send(encodeHandshake({ swarmKey, peerId, fast, extensions, dht, v2 }));
  }

  signal(signal: Parameters<typeof encodeSignal>[0]): this {
    return this.send(encodeSignal(signal));
  }

  sayExtensions(handshake: ExtendedHandshake): this {
    return this.send(encodeExtended(0, encodeExtendedHandshake(handshake)));
  }

  request(...blocks: BlockRef[]): this {
    return this.send(encodeBlockRefs('request', blocks));
  }

  cancel(...blocks: BlockRef[]): this {
    return this.send(encodeBlockRefs('cancel', blocks));
  }

  reject(...blocks: BlockRef[]): this {
    return this.send(encodeBlockRefs('reject', blocks));
  }

  /** Sends a block's header and bytes. */
  sendBlock(ref: BlockRef, bytes: Uint8Array): this {
    const message = new Uint8Array(13 + bytes.length);
    writePieceHeader(message, 0, ref);
    message.set(bytes, 13);
    return this.send(message);
  }

  /** Answers every request from these bytes of the torrent, changed by `spoil`. */
  serve(torrentBytes: Uint8Array, pieceLengthBytes: number, spoil: (block: Uint8Array) => Uint8Array = (b) => b): this {
    this.onRequest = (request) => {
      const start = request.piece * pieceLengthBytes + request.offsetBytes;
      this.sendBlock(request, spoil(torrentBytes.slice(start, start + request.lengthBytes)));
    };
    return this;
  }

  /** What it was told, by type. */
  heard(type: PeerMessage['type']): number {
    return this.messages.filter((message) => message.type === type).length;
  }
}
