/**
 * Reads along on a connection that may be encrypted (MSE): the handshake machines of both ends, fed with what the real
 * ends say, tell how the stream goes on. Invariant: the tap behind it gets exactly the plain bytes, in order; a stream
 * that cannot be read any more passes nothing.
 */
import { toHex } from '../../../src/base/bytes.ts';
import { AppError } from '../../../src/base/errors.ts';
import type { SwarmKey } from '../../../src/base/ids.ts';
import { PROTOCOL_HEADER } from '../../../src/codec/handshake.ts';
import { obfuscatedKey, type MseCiphers } from '../../../src/codec/mse.ts';
import { MseInitiator, MseResponder, type MseStream } from '../../../src/codec/mse-handshake.ts';
import { eavesdropping } from './encryption.ts';
import type { Referee } from './referee.ts';
import type { Tap } from './tapped-socket.ts';

/** Whatever handshake there is, it lies within so many bytes: a key, four paddings and the initial payload. */
const HANDSHAKE_BYTES = 2_400;

export interface WiretapParts {
  /** For reports. */
  readonly name: string;
  /** The tapped end dialled. */
  readonly isOutgoing: boolean;
  /** The tapped end takes only streams that stay encrypted. */
  readonly requiresEncryption: boolean;
  /** The other end keeps to the rules, so its stream must be readable. */
  readonly isHonest: boolean;
  readonly swarmKeys: readonly SwarmKey[];
  readonly referee: Referee;
}

type Cipher = MseCiphers['incoming'] | undefined;

export class Wiretap implements Tap {
  readonly #parts: WiretapParts;
  readonly #tap: Tap;
  #state: 'unknown' | 'plain' | 'handshake' | 'open' | 'dead' = 'unknown';
  /** The dialler's first bytes, until they tell plain from encrypted. */
  #head = Buffer.alloc(0);
  /** What cannot be read yet. */
  #fromDialler: Uint8Array[] = [];
  #fromListener: Uint8Array[] = [];
  /** Plays the listener, and so reads what the dialler says. */
  readonly #listener: MseResponder;
  /** Plays the dialler, once it is known which swarm that named. */
  #dialler: MseInitiator | undefined;
  #diallersCipher: Cipher;
  #listenersCipher: Cipher;
  #sentHead = Buffer.alloc(0);

  constructor(tap: Tap, parts: WiretapParts) {
    this.#tap = tap;
    this.#parts = parts;
    const keys = new Map(parts.swarmKeys.map((key) => [toHex(obfuscatedKey(eavesdropping, key)), key]));
    this.#listener = new MseResponder(
      { crypto: eavesdropping, accepts: ['rc4', 'plain'] },
      {
        send: () => undefined,
        find: (obfuscated) => keys.get(toHex(obfuscated)),
        opened: (stream) => this.#offered(stream),
      },
    );
  }

  touched(): void {
    this.#tap.touched();
  }

  sent(bytes: Uint8Array): void {
    this.#checkSecrecy(bytes);
    this.#read(bytes, this.#parts.isOutgoing);
  }

  received(bytes: Uint8Array): void {
    this.#read(bytes, !this.#parts.isOutgoing);
  }

  closed(): void {
    this.#tap.closed();
  }

  #checkSecrecy(bytes: Uint8Array): void {
    if (!this.#parts.requiresEncryption || this.#sentHead.length > HANDSHAKE_BYTES) return;
    this.#sentHead = Buffer.concat([this.#sentHead, bytes.subarray(0, HANDSHAKE_BYTES)]);
    if (this.#sentHead.includes(Buffer.from(PROTOCOL_HEADER))) this.#caught('greets in the clear');
  }

  #caught(how: string): void {
    this.#parts.referee.broken('who requires encryption never speaks plainly', `${this.#parts.name} ${how}`);
  }

  #read(bytes: Uint8Array, isFromDialler: boolean): void {
    if (this.#state === 'dead') return;
    try {
      if (isFromDialler) this.#readDialler(bytes);
      else this.#readListener(bytes);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#state = 'dead';
      const { referee, name, isHonest } = this.#parts;
      referee.check(!isHonest, 'no fault escapes', () => `${name} cannot be read: ${error.message}`);
    }
  }

  #readDialler(bytes: Uint8Array): void {
    if (this.#state === 'unknown') this.#recognize(bytes);
    else if (this.#state === 'plain') this.#pass(bytes, true);
    else if (this.#state === 'open') this.#pass(bytes, true, this.#diallersCipher);
    else if (this.#dialler === undefined) this.#listener.feed(bytes);
    else this.#fromDialler.push(bytes.slice());
  }

  #readListener(bytes: Uint8Array): void {
    if (this.#state === 'plain') this.#pass(bytes, false);
    else if (this.#state === 'open') this.#pass(bytes, false, this.#listenersCipher);
    else if (this.#dialler === undefined) this.#fromListener.push(bytes.slice());
    else this.#dialler.feed(bytes);
  }

  /** The dialler's first bytes are those of a plain handshake, or of an encrypted one. */
  #recognize(bytes: Uint8Array): void {
    this.#head = Buffer.concat([this.#head, bytes]);
    const shared = Math.min(this.#head.length, PROTOCOL_HEADER.length);
    const isPlain = this.#head.subarray(0, shared).equals(PROTOCOL_HEADER.subarray(0, shared));
    if (isPlain && shared < PROTOCOL_HEADER.length) return;
    this.#state = isPlain ? 'plain' : 'handshake';
    if (!isPlain) return this.#listener.feed(this.#head);
    this.#pass(this.#head, true);
    for (const early of this.#fromListener.splice(0)) this.#pass(early, false);
  }

  /** The dialler's part is over: its greeting came with it, and the listener will choose. */
  #offered({ swarmKey, early, ciphers }: MseStream): void {
    this.#diallersCipher = ciphers?.incoming;
    this.#dialler = new MseInitiator(
      { crypto: eavesdropping, swarmKey, offers: ['rc4', 'plain'], initialPayload: new Uint8Array(0) },
      { send: () => undefined, opened: (stream) => this.#chosen(stream) },
    );
    this.#dialler.start();
    this.#pass(early, true);
    for (const said of this.#fromListener.splice(0)) this.#dialler.feed(said);
  }

  #chosen({ early, ciphers }: MseStream): void {
    this.#state = 'open';
    this.#listenersCipher = ciphers?.incoming;
    if (ciphers === undefined) {
      this.#diallersCipher = undefined;
      if (this.#parts.requiresEncryption) this.#caught('agrees to a plain stream');
    }
    this.#pass(early, false);
    for (const said of this.#fromDialler.splice(0)) this.#pass(said, true, this.#diallersCipher);
  }

  #pass(bytes: Uint8Array, isFromDialler: boolean, cipher?: Cipher): void {
    if (bytes.length === 0) return;
    const plain = cipher === undefined ? bytes : new Uint8Array(bytes.length);
    cipher?.apply(bytes, plain);
    if (isFromDialler === this.#parts.isOutgoing) this.#tap.sent(plain);
    else this.#tap.received(plain);
  }
}
