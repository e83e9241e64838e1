/**
 * Connections from their first byte to the end of both handshakes: encrypted or plain, whose torrent, woken if it sleeps.
 * Invariants: no connection waits for its handshakes longer than ten seconds, what it may send meanwhile is bounded,
 * and each ends in exactly one of a peer of a torrent and a closed socket.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { NotFound, ProtocolError, TimedOut } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import type { TaskGroup } from '../base/tasks.ts';
import { SECOND_MS } from '../base/units.ts';
import { encodeHandshake, type Handshake } from '../codec/handshake.ts';
import { obfuscatedKey, type MseCrypto } from '../codec/mse.ts';
import { encodeKeepAlive } from '../codec/wire-encode.ts';
import { PlainAddresses } from './crowd/plain-addresses.ts';
import type { EngineOptions } from './engine.ts';
import type { Shared } from './limits/shared.ts';
import { Connection } from './peer/connection.ts';
import {
  IncomingOpening,
  OutgoingOpening,
  type EncryptionPolicy,
  type OpenedStream,
  type OpeningListener,
} from './peer/opening.ts';
import type { PeerAddress, PeerSocket, TransportKind } from './ports.ts';
import type { Transfer } from './transfer.ts';

const HANDSHAKE_TIMEOUT_MS = 10 * SECOND_MS;

/**
 * Over uTP, Transmission 3.00 overlooks what came in one packet with the last handshake until another packet comes. So a
 * peer that dialled us by uTP gets a keep-alive when its handshake has certainly been read.
 */
const NUDGE_AFTER_MS = 2 * SECOND_MS;

/** Where a connection comes from. */
export interface Origin {
  /** Known for connections we opened or were handed for one torrent. */
  readonly transfer?: Transfer;
  /** The address to report on when it comes to nothing. */
  readonly dialled?: PeerAddress;
  readonly isOutgoing: boolean;
  /** Of the torrent's keys the one under which its peer was found, for our handshake; default: its first. */
  readonly foundBy?: SwarmKey;
  /** A second attempt, without encryption, because the first ended early. */
  readonly isPlainRetry?: boolean;
}

/** A connection we opened to an address of a torrent. */
export type DialOrigin = Origin & Required<Pick<Origin, 'transfer' | 'dialled'>>;

/** A connection that has not finished its handshakes. */
interface Greeting extends Origin {
  readonly startedAtMs: number;
  readonly transport: TransportKind;
  /** First how the stream opens, then the wire protocol on it. */
  stage: { close(cause?: Error): void };
  /** Encrypted handshake asked for by us and not answered yet. */
  isTryingEncryption: boolean;
  /** Named by the encrypted handshake; the plain one inside must name the same. */
  swarmKey?: SwarmKey;
}

export interface GreetingsOptions {
  readonly shared: Shared;
  readonly encryption: EncryptionPolicy;
  readonly tasks: TaskGroup;
  find(key: SwarmKey): Transfer | undefined;
  /** Starts a torrent that does not run; undefined where none can be. */
  readonly wake: ((key: SwarmKey, remote: PeerAddress | undefined) => Promise<Transfer | undefined>) | undefined;
  /** The key of a swarm that does not run by H('req2'‖key). */
  readonly resolveObfuscated: EngineOptions['resolveObfuscated'] | undefined;
  /** Opens another connection to the address, once more, for a plain handshake; false when too many are being opened. */
  redial(transfer: Transfer, address: PeerAddress): boolean;
  /** A connection we opened has made its handshakes, or (false) has ended before. */
  dialEnded(address: PeerAddress, transport: TransportKind, isGreeted: boolean): void;
  /** Ticks are needed from now on. */
  began(): void;
}

export class Greetings {
  readonly #options: GreetingsOptions;
  readonly #greetings = new Set<Greeting>();
  /** H('req2'‖key) of every running swarm, in hex → its key. */
  readonly #runningKeys = new Map<string, SwarmKey>();
  /** Connections to be nudged, the next one first. */
  readonly #nudges: { readonly connection: Connection; readonly dueAtMs: number }[] = [];
  /** Addresses where only a plain handshake worked. */
  readonly #plain = new PlainAddresses();

  constructor(options: GreetingsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#greetings.size;
  }

  /** Connections whose torrent is not known yet. */
  get incomingCount(): number {
    let count = 0;
    for (const greeting of this.#greetings) if (greeting.transfer === undefined) count++;
    return count;
  }

  /** The swarm runs: encrypted handshakes for it are answered. */
  addKey(key: SwarmKey): void {
    const crypto = this.#crypto;
    if (crypto !== undefined) this.#runningKeys.set(toHex(obfuscatedKey(crypto, key)), key);
  }

  removeKey(key: SwarmKey): void {
    const crypto = this.#crypto;
    if (crypto !== undefined) this.#runningKeys.delete(toHex(obfuscatedKey(crypto, key)));
  }

  /** Takes a new connection; it is a torrent's peer, or closed, before long. */
  greet(socket: PeerSocket, origin: Origin): void {
    const greeting: Greeting = {
      ...origin,
      startedAtMs: this.#options.shared.ports.clock.monotonicMs(),
      transport: socket.transport,
      stage: socket,
      isTryingEncryption: false,
    };
    this.#greetings.add(greeting);
    const crypto = canBeEncrypted(socket) ? this.#crypto : undefined;
    if (crypto === undefined) this.#greetPlainly(greeting, socket);
    else if (greeting.transfer === undefined) this.#openIncoming(greeting, socket, crypto);
    else this.#openFor(greeting, greeting.transfer, socket, crypto);
    this.#options.began();
  }

  /** Closes what has waited too long, nudges who may be waiting for us. */
  tick(nowMs: number): void {
    while (this.#nudges[0] !== undefined && this.#nudges[0].dueAtMs <= nowMs)
      this.#nudges.shift()?.connection.send(encodeKeepAlive());
    for (const greeting of this.#greetings)
      if (nowMs - greeting.startedAtMs > HANDSHAKE_TIMEOUT_MS) greeting.stage.close(new TimedOut('no handshake'));
  }

  /** The torrent is gone: closes what was opened for it. */
  closeOf(transfer: Transfer): void {
    for (const greeting of this.#greetings) if (greeting.transfer === transfer) greeting.stage.close();
  }

  close(): void {
    this.#nudges.length = 0;
    for (const greeting of this.#greetings) greeting.stage.close();
  }

  get #crypto(): MseCrypto | undefined {
    return this.#options.encryption === 'off' ? undefined : this.#options.shared.ports.mse;
  }

  // How the stream opens.

  #openIncoming(greeting: Greeting, socket: PeerSocket, crypto: MseCrypto): void {
    const opening = new IncomingOpening(
      socket,
      { crypto, requiresEncryption: this.#options.encryption === 'require' },
      {
        ...this.#openingListener(greeting),
        find: (digest) => {
          const key = this.#runningKeys.get(toHex(digest));
          if (key === undefined) this.#resolve(opening, digest.slice(), socket.remote);
          return key;
        },
      },
    );
    greeting.stage = opening;
    opening.start();
  }

  /** Looks for a swarm that does not run. */
  #resolve(opening: IncomingOpening, digest: Uint8Array, remote: PeerAddress | undefined): void {
    const { tasks, resolveObfuscated } = this.#options;
    tasks.run('engine.resolve', async () => {
      const key = await resolveObfuscated?.(digest, remote).catch((error: unknown) => {
        opening.close(new NotFound('no such torrent'));
        throw error;
      });
      if (key === undefined) opening.close(new NotFound('no such torrent'));
      else opening.found(key);
    });
  }

  /** A connection that was opened for one torrent, or handed to it. */
  #openFor(greeting: Greeting, transfer: Transfer, socket: PeerSocket, crypto: MseCrypto): void {
    const requiresEncryption = this.#options.encryption === 'require';
    const swarmKey = transfer.encryptedKey(!requiresEncryption);
    if (requiresEncryption && !greeting.isOutgoing) this.#openIncoming(greeting, socket, crypto);
    else if (swarmKey !== undefined && (requiresEncryption || this.#mayTryEncryption(greeting))) {
      greeting.isTryingEncryption = true;
      const opening = new OutgoingOpening(
        socket,
        {
          crypto,
          requiresEncryption,
          swarmKey,
          initialPayload: this.#handshakeFor(swarmKey, transfer.identity.isHybrid),
        },
        this.#openingListener(greeting),
      );
      greeting.stage = opening;
      opening.start();
    } else this.#greetPlainly(greeting, socket);
  }

  /** Only where a plain handshake can follow when the peer does not answer the encrypted one. */
  #mayTryEncryption({ dialled, isPlainRetry }: Origin): boolean {
    return dialled !== undefined && isPlainRetry !== true && !this.#plain.has(dialled);
  }

  #openingListener(greeting: Greeting): OpeningListener {
    return {
      opened: (stream) => this.#connect(greeting, stream),
      closed: () => this.#onClosed(greeting),
    };
  }

  #connect(greeting: Greeting, { socket, early, swarmKey }: OpenedStream): void {
    const isOurHandshakeSent = greeting.isTryingEncryption;
    greeting.isTryingEncryption = false;
    if (swarmKey !== undefined) greeting.swarmKey = swarmKey;
    this.#converse(greeting, socket, early, isOurHandshakeSent);
  }

  #greetPlainly(greeting: Greeting, socket: PeerSocket): void {
    this.#converse(greeting, socket, new Uint8Array(0), false);
  }

  // The BitTorrent handshake.

  #converse(greeting: Greeting, socket: PeerSocket, early: Uint8Array, isOurHandshakeSent: boolean): void {
    const connection: Connection = new Connection(socket, {
      handshake: (handshake) => this.#onHandshake(greeting, connection, handshake),
      closed: () => this.#onClosed(greeting),
    });
    greeting.stage = connection;
    const keys = greeting.transfer?.identity.keys ?? [];
    const swarmKey = keys.find((key) => key === greeting.foundBy) ?? keys[0];
    if (swarmKey !== undefined && !isOurHandshakeSent)
      connection.send(this.#handshakeFor(swarmKey, greeting.transfer?.identity.isHybrid));
    connection.start(early);
  }

  /** `v2` says to peers of a hybrid that we speak its v2 half, too (BEP 52). */
  #handshakeFor(swarmKey: SwarmKey, v2 = false): Uint8Array {
    return encodeHandshake({
      swarmKey,
      peerId: this.#options.shared.peerId,
      extensions: true,
      fast: true,
      dht: this.#options.shared.dht !== undefined,
      v2,
    });
  }

  #onHandshake(greeting: Greeting, connection: Connection, handshake: Handshake): void {
    const { transfer, dialled, swarmKey } = greeting;
    if (equalBytes(handshake.peerId, this.#options.shared.peerId)) {
      // The accepting end answers, so that the dialling end sees whom it reached.
      if (transfer === undefined) connection.send(this.#handshakeFor(handshake.swarmKey));
      else if (dialled !== undefined) transfer.crowd.forgetAddress(dialled);
      connection.close(new ProtocolError('connected to ourselves'));
    } else if (transfer !== undefined) {
      if (transfer.identity.keys.includes(handshake.swarmKey))
        this.#handOver(greeting, connection, transfer, handshake);
      else connection.close(new ProtocolError('the peer answered for another torrent'));
    } else if (swarmKey !== undefined && swarmKey !== handshake.swarmKey)
      connection.close(new ProtocolError('two handshakes for two torrents'));
    else this.#receive(greeting, connection, handshake);
  }

  /** An incoming connection said which torrent it wants. */
  #receive(greeting: Greeting, connection: Connection, handshake: Handshake): void {
    const transfer = this.#options.find(handshake.swarmKey);
    const { wake } = this.#options;
    if (transfer !== undefined) this.#answer(greeting, connection, transfer, handshake);
    else if (wake === undefined) connection.close(new NotFound('no such torrent'));
    else
      this.#options.tasks.run('engine.wake', async () => {
        try {
          const woken = await wake(handshake.swarmKey, connection.remote);
          if (connection.isClosed) return;
          if (woken !== undefined) this.#answer(greeting, connection, woken, handshake);
        } finally {
          // Nobody took it over: unknown, or waking failed (and is logged as the task's failure).
          if (this.#greetings.has(greeting)) connection.close(new NotFound('no such torrent'));
        }
      });
  }

  #answer(greeting: Greeting, connection: Connection, transfer: Transfer, handshake: Handshake): void {
    connection.send(this.#handshakeFor(transfer.identity.answerKey(handshake), transfer.identity.isHybrid));
    this.#handOver(greeting, connection, transfer, handshake);
    if (connection.transport !== 'utp' || connection.isClosed) return;
    const dueAtMs = this.#options.shared.ports.clock.monotonicMs() + NUDGE_AFTER_MS;
    this.#nudges.push({ connection, dueAtMs });
  }

  #handOver(greeting: Greeting, connection: Connection, transfer: Transfer, handshake: Handshake): void {
    this.#greetings.delete(greeting);
    const { dialled, isOutgoing, isPlainRetry, transport } = greeting;
    if (dialled !== undefined) this.#options.dialEnded(dialled, transport, true);
    if (dialled !== undefined && isPlainRetry === true) this.#plain.add(dialled);
    const isAdopted = transfer.crowd.adopt(connection, handshake, isOutgoing);
    if (!isAdopted && dialled !== undefined) transfer.crowd.dialEnded(dialled);
  }

  #onClosed(greeting: Greeting): void {
    if (!this.#greetings.delete(greeting)) return;
    const { transfer, dialled, isTryingEncryption } = greeting;
    if (transfer === undefined || dialled === undefined) return;
    const mayBePlain = this.#options.encryption === 'prefer';
    if (!isTryingEncryption || !mayBePlain || transfer.isStopped) {
      this.#plain.delete(dialled);
      this.#options.dialEnded(dialled, greeting.transport, false);
      transfer.crowd.dialEnded(dialled);
    } else if (!this.#options.redial(transfer, dialled)) {
      // It is dialled again in its turn, and greeted plainly then.
      this.#plain.add(dialled);
      transfer.crowd.postpone(dialled);
    }
  }
}

/** WebRTC is encrypted already, and in memory there is nobody to hide from. */
function canBeEncrypted(socket: PeerSocket): boolean {
  return socket.transport === 'tcp' || socket.transport === 'utp';
}
