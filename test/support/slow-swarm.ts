/** A swarm with peers that deliver next to nothing, or nothing, though they claim to have everything. */
import { MIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import type { BlockRef } from '../../src/codec/wire.ts';
import { encodeBitfield } from '../../src/codec/wire-encode.ts';
import type { HostOptions } from './memory-network.ts';
import { ScriptedPeer } from './scripted-peer.ts';
import { keyOf, seedOn, Swarm, type Node, type TestTorrent } from './swarm.ts';

/** A leech beside peers that are slow, and quick seeds. */
export class SlowSwarm extends Swarm {
  readonly leech: Node;
  readonly source: TestTorrent;

  constructor(source: TestTorrent, pieceBufferBytes = 128 * MIB) {
    super();
    this.source = source;
    this.leech = this.addNode({ latencyMs: 5 }, { limits: { pieceBufferBytes } });
  }

  /** A peer that unchokes us; by default it has everything, and answers nothing. */
  async peer(options: HostOptions = {}, lacks: readonly number[] = []): Promise<ScriptedPeer> {
    const have = new Bitfield(this.source.info.pieceCount);
    for (let piece = 0; piece < have.length; piece++) if (!lacks.includes(piece)) have.set(piece);
    const peer = new ScriptedPeer(await this.addMachine(options).dial(this.leech.address));
    return peer
      .sayHello({ swarmKey: keyOf(this.source) })
      .send(encodeBitfield(have))
      .signal('unchoke');
  }

  /** Answers one request after another, each after a pause, and a cancel with a reject. */
  async dripping(pauseMs: number, lacks: readonly number[] = []): Promise<ScriptedPeer> {
    const peer = await this.peer({}, lacks);
    const waiting: BlockRef[] = [];
    peer.onRequest = (request) => waiting.push(request);
    peer.onMessage = (message) => {
      if (message.type !== 'cancel') return;
      const { piece, offsetBytes } = message.block;
      const at = waiting.findIndex((request) => request.piece === piece && request.offsetBytes === offsetBytes);
      if (at >= 0) peer.reject(...waiting.splice(at, 1));
    };
    const drip = (): void => {
      if (peer.isClosed) return;
      const request = waiting.shift();
      if (request !== undefined) peer.sendBlock(request, this.#bytesOf(request));
      this.clock.after(pauseMs, drip);
    };
    this.clock.after(pauseMs, drip);
    return peer;
  }

  #bytesOf({ piece, offsetBytes, lengthBytes }: BlockRef): Uint8Array {
    const start = piece * this.source.info.pieceLengthBytes + offsetBytes;
    return this.source.bytes.slice(start, start + lengthBytes);
  }

  addSeed(host: HostOptions): Node {
    const seed = this.addNode(host);
    seedOn(seed, this.source);
    return seed;
  }
}
