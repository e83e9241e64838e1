/**
 * Both ends of an encrypted handshake (MSE) as state machines over a byte stream cut anywhere. Invariants: every
 * encrypted byte passes its cipher once; what is searched and what is kept is bounded; a machine that threw or opened
 * takes nothing more.
 */
import { concatBytes, equalBytes, readUint16, readUint32, writeUint16, writeUint32 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import { ByteGather } from './byte-gather.ts';
import {
  maskObfuscatedKey,
  MSE_DIGEST_BYTES,
  MSE_MAX_PAD_BYTES,
  MSE_METHOD,
  MSE_NUMBER_BYTES,
  MSE_VERIFICATION_BYTES,
  mseCiphers,
  obfuscatedKey,
  randomPad,
  startMark,
  type MseCiphers,
  type MseCrypto,
  type MseKeyPair,
  type MseMethod,
} from './mse.ts';

/** Bytes kept while the swarm is being looked up: the rest of the longest handshake, initial payload (64 KiB) included. */
const MAX_KEPT_BYTES = 14 + MSE_MAX_PAD_BYTES + 2 + 65_535;

/** A handshake that has succeeded. */
export interface MseStream {
  readonly swarmKey: SwarmKey;
  /** The stream's first bytes, decrypted; they may be changed. More of the stream follows, encrypted if `ciphers` is there. */
  readonly early: Uint8Array<ArrayBuffer>;
  /** Undefined when the stream goes on in plain. */
  readonly ciphers: MseCiphers | undefined;
}

/** Called from within `feed`, `start` and `found`. */
export interface MseListener {
  /** Bytes for the peer. */
  send(bytes: Uint8Array): void;
  /** Comes once, last. */
  opened(stream: MseStream): void;
}

/** How the initiator goes about it. */
export interface MseInitiatorOptions {
  readonly crypto: MseCrypto;
  readonly swarmKey: SwarmKey;
  /** What the peer may choose from. */
  readonly offers: readonly MseMethod[];
  /** Sent along with the handshake, encrypted: it saves a round trip. */
  readonly initialPayload: Uint8Array;
}

/** The end that opened the connection. */
export class MseInitiator {
  readonly #options: MseInitiatorOptions;
  readonly #listener: MseListener;
  readonly #keys: MseKeyPair;
  readonly #gather = new ByteGather();
  #state: 'public-key' | 'verification' | 'choice' | 'padding' | 'over' = 'public-key';
  #ciphers: MseCiphers | undefined;
  #verification = new Uint8Array(0);
  #method: MseMethod = 'rc4';
  #padBytes = 0;

  constructor(options: MseInitiatorOptions, listener: MseListener) {
    this.#options = options;
    this.#listener = listener;
    this.#keys = options.crypto.createKeyPair();
  }

  /** Sends our public key. */
  start(): void {
    this.#listener.send(concatBytes([this.#keys.publicKey, randomPad(this.#options.crypto)]));
  }

  /** @throws ProtocolError when this is no encrypted handshake; close the connection then. */
  feed(chunk: Uint8Array): void {
    this.#gather.push(chunk);
    guarded(
      () => this.#step(),
      () => (this.#state = 'over'),
    );
  }

  /** Returns whether to go on. */
  #step(): boolean {
    switch (this.#state) {
      case 'public-key':
        return this.#readPublicKey();
      case 'verification':
        return this.#findVerification();
      case 'choice':
        return this.#readChoice();
      case 'padding':
        return this.#readPadding();
      case 'over':
        return false;
    }
  }

  #readPublicKey(): boolean {
    const theirs = this.#gather.take(MSE_NUMBER_BYTES);
    if (theirs === undefined) return false;
    const { crypto, swarmKey } = this.#options;
    const secret = this.#keys.secretWith(theirs);
    const ciphers = mseCiphers(crypto, 'initiator', secret, swarmKey);
    this.#ciphers = ciphers;
    this.#verification = new Uint8Array(MSE_VERIFICATION_BYTES);
    ciphers.incoming.apply(this.#verification);
    this.#listener.send(
      concatBytes([
        startMark(crypto, secret),
        maskObfuscatedKey(crypto, secret, obfuscatedKey(crypto, swarmKey)),
        this.#encryptedOffer(ciphers),
      ]),
    );
    this.#state = 'verification';
    return true;
  }

  /** VC, crypto_provide, PadC and the initial payload, each with its length. */
  #encryptedOffer(ciphers: MseCiphers): Uint8Array {
    const { crypto, offers, initialPayload } = this.#options;
    const pad = randomPad(crypto);
    const lengths = new Uint8Array(4);
    writeUint16(lengths, 0, pad.length);
    writeUint16(lengths, 2, initialPayload.length);
    const offer = concatBytes([
      new Uint8Array(MSE_VERIFICATION_BYTES),
      methodBits(offers),
      lengths.subarray(0, 2),
      pad,
      lengths.subarray(2),
      initialPayload,
    ]);
    ciphers.outgoing.apply(offer);
    return offer;
  }

  #findVerification(): boolean {
    if (!skipPast(this.#gather, this.#verification)) return false;
    this.#state = 'choice';
    return true;
  }

  #readChoice(): boolean {
    const choice = this.#decrypted(6);
    if (choice === undefined) return false;
    const bits = readUint32(choice, 0);
    const method = this.#options.offers.find((offer) => MSE_METHOD[offer] === bits);
    if (method === undefined) throw new ProtocolError('the peer chose an encryption that was not offered', { bits });
    this.#method = method;
    this.#padBytes = padLength(choice, 4);
    this.#state = 'padding';
    return true;
  }

  #readPadding(): boolean {
    if (this.#decrypted(this.#padBytes) === undefined) return false;
    this.#state = 'over';
    const { swarmKey } = this.#options;
    const ciphers = this.#method === 'rc4' ? this.#ciphers : undefined;
    this.#listener.opened({ swarmKey, ciphers, early: remainder(this.#gather, ciphers) });
    return false;
  }

  #decrypted(count: number): Uint8Array<ArrayBuffer> | undefined {
    return takeDecrypted(this.#gather, this.#ciphers, count);
  }
}

/** How the responder goes about it. */
export interface MseResponderOptions {
  readonly crypto: MseCrypto;
  /** What we agree to, the best first. */
  readonly accepts: readonly MseMethod[];
}

/** What the responder asks. */
export interface MseResponderListener extends MseListener {
  /** Whose obfuscated key (H('req2'‖key)) is this? Undefined = not known yet: `found` will follow, or the connection be closed. */
  find(obfuscatedKey: Uint8Array): SwarmKey | undefined;
}

/** The end that accepted the connection. */
export class MseResponder {
  readonly #options: MseResponderOptions;
  readonly #listener: MseResponderListener;
  readonly #gather = new ByteGather();
  #state: 'public-key' | 'mark' | 'key' | 'lookup' | 'offer' | 'padding' | 'payload' | 'over' = 'public-key';
  #secret = new Uint8Array(0);
  #swarmKey: SwarmKey | undefined;
  #ciphers: MseCiphers | undefined;
  #method: MseMethod = 'rc4';
  /** Of the padding, then of the initial payload. */
  #nextBytes = 0;

  constructor(options: MseResponderOptions, listener: MseResponderListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** @throws ProtocolError when this is no encrypted handshake; close the connection then. */
  feed(chunk: Uint8Array): void {
    this.#gather.push(chunk);
    this.#run();
    if (this.#gather.length > MAX_KEPT_BYTES && this.#state !== 'over')
      throw new ProtocolError('too much sent ahead of the encrypted handshake');
  }

  /** The swarm that `find` was asked for. @throws ProtocolError as `feed` does. */
  found(key: SwarmKey): void {
    if (this.#state !== 'lookup') return;
    this.#enter(key);
    this.#run();
  }

  #run(): void {
    guarded(
      () => this.#step(),
      () => (this.#state = 'over'),
    );
  }

  #step(): boolean {
    switch (this.#state) {
      case 'public-key':
        return this.#readPublicKey();
      case 'mark':
        return this.#findMark();
      case 'key':
        return this.#readKey();
      case 'offer':
        return this.#readOffer();
      case 'padding':
        return this.#readPadding();
      case 'payload':
        return this.#readPayload();
      case 'lookup':
      case 'over':
        return false;
    }
  }

  #readPublicKey(): boolean {
    const theirs = this.#gather.take(MSE_NUMBER_BYTES);
    if (theirs === undefined) return false;
    const { crypto } = this.#options;
    const keys = crypto.createKeyPair();
    this.#secret = Uint8Array.from(keys.secretWith(theirs));
    this.#listener.send(concatBytes([keys.publicKey, randomPad(crypto)]));
    this.#state = 'mark';
    return true;
  }

  #findMark(): boolean {
    if (!skipPast(this.#gather, startMark(this.#options.crypto, this.#secret))) return false;
    this.#state = 'key';
    return true;
  }

  #readKey(): boolean {
    const masked = this.#gather.take(MSE_DIGEST_BYTES);
    if (masked === undefined) return false;
    this.#state = 'lookup';
    const key = this.#listener.find(maskObfuscatedKey(this.#options.crypto, this.#secret, masked));
    if (key === undefined) return false;
    this.#enter(key);
    return true;
  }

  #enter(key: SwarmKey): void {
    this.#swarmKey = key;
    this.#ciphers = mseCiphers(this.#options.crypto, 'responder', this.#secret, key);
    this.#state = 'offer';
  }

  #readOffer(): boolean {
    const offer = this.#decrypted(MSE_VERIFICATION_BYTES + 6);
    if (offer === undefined) return false;
    if (!equalBytes(offer.subarray(0, MSE_VERIFICATION_BYTES), new Uint8Array(MSE_VERIFICATION_BYTES)))
      throw new ProtocolError('the encrypted handshake does not verify');
    const offered = readUint32(offer, MSE_VERIFICATION_BYTES);
    const method = this.#options.accepts.find((accepted) => (MSE_METHOD[accepted] & offered) !== 0);
    if (method === undefined) throw new ProtocolError('no encryption in common', { offered });
    this.#method = method;
    this.#nextBytes = padLength(offer, MSE_VERIFICATION_BYTES + 4) + 2;
    this.#state = 'padding';
    return true;
  }

  #readPadding(): boolean {
    const padding = this.#decrypted(this.#nextBytes);
    if (padding === undefined) return false;
    this.#nextBytes = readUint16(padding, padding.length - 2);
    this.#state = 'payload';
    return true;
  }

  #readPayload(): boolean {
    const payload = this.#decrypted(this.#nextBytes);
    if (payload === undefined || this.#ciphers === undefined || this.#swarmKey === undefined) return false;
    this.#state = 'over';
    this.#listener.send(this.#encryptedChoice(this.#ciphers));
    const ciphers = this.#method === 'rc4' ? this.#ciphers : undefined;
    const early = concatBytes([payload, remainder(this.#gather, ciphers)]);
    this.#listener.opened({ swarmKey: this.#swarmKey, ciphers, early });
    return false;
  }

  /** VC, crypto_select and PadD with its length. */
  #encryptedChoice(ciphers: MseCiphers): Uint8Array {
    const pad = randomPad(this.#options.crypto);
    const length = new Uint8Array(2);
    writeUint16(length, 0, pad.length);
    const choice = concatBytes([new Uint8Array(MSE_VERIFICATION_BYTES), methodBits([this.#method]), length, pad]);
    ciphers.outgoing.apply(choice);
    return choice;
  }

  #decrypted(count: number): Uint8Array<ArrayBuffer> | undefined {
    return takeDecrypted(this.#gather, this.#ciphers, count);
  }
}

/** Steps until there is nothing to step on; a machine whose step throws is over. */
function guarded(step: () => boolean, end: () => void): void {
  try {
    while (step());
  } catch (error) {
    end();
    throw error;
  }
}

/** Eats up to and with the mark; false while it may still come. @throws ProtocolError when it can no longer follow the longest padding. */
function skipPast(gather: ByteGather, mark: Uint8Array): boolean {
  const searchedBytes = MSE_MAX_PAD_BYTES + mark.length;
  const offset = gather.indexOf(mark, searchedBytes);
  if (offset >= 0) return gather.take(offset + mark.length) !== undefined;
  if (gather.length >= searchedBytes) throw new ProtocolError('not an encrypted handshake');
  return false;
}

function takeDecrypted(
  gather: ByteGather,
  ciphers: MseCiphers | undefined,
  count: number,
): Uint8Array<ArrayBuffer> | undefined {
  const bytes = gather.take(count);
  if (bytes !== undefined) ciphers?.incoming.apply(bytes);
  return bytes;
}

function remainder(gather: ByteGather, ciphers: MseCiphers | undefined): Uint8Array<ArrayBuffer> {
  return takeDecrypted(gather, ciphers, gather.length) ?? new Uint8Array(0);
}

function methodBits(methods: readonly MseMethod[]): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(
    bytes,
    0,
    methods.reduce((bits, method) => bits | MSE_METHOD[method], 0),
  );
  return bytes;
}

/** @throws ProtocolError above 512. */
function padLength(bytes: Uint8Array, at: number): number {
  const length = readUint16(bytes, at);
  if (length > MSE_MAX_PAD_BYTES) throw new ProtocolError('padding too long', { length });
  return length;
}
