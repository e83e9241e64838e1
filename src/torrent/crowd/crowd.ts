/**
 * The peers of one torrent: who is let in, dialled, unchoked, told about others and thrown out. Invariants: every peer
 * in the set is open, no peer is in it twice, and both ends keep the same one of two crossing connections.
 */
import type { AddressSource } from '../../base/address-policy.ts';
import { compareBytes, toHex } from '../../base/bytes.ts';
import { AppError, HashMismatch, ProtocolError, TimedOut } from '../../base/errors.ts';
import type { TaskGroup } from '../../base/tasks.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { PexMessage } from '../../codec/extension.ts';
import type { Handshake } from '../../codec/handshake.ts';
import type { Content } from '../content/content.ts';
import { HashRefusals } from '../hashes/hash-refusals.ts';
import { isShared } from '../limits/bans.ts';
import type { Shared } from '../limits/shared.ts';
import type { Traffic } from '../limits/traffic.ts';
import type { Connection } from '../peer/connection.ts';
import type { PeerHost } from '../peer/peer-host.ts';
import { Peer } from '../peer/peer.ts';
import type { PeerAddress } from '../ports.ts';
import { FastPromises } from './allowed-fast.ts';
import { Candidates, type Ending } from './candidates.ts';
import { Choking } from './choking.ts';
import { chooseToPartFrom, type PeerWorth } from './eviction.ts';
import { PeerExchange } from './peer-exchange.ts';
import { canonicalPriority } from './peer-priority.ts';
import { worthOf } from './peer-worth.ts';
import { chooseStalled } from './stalled-readers.ts';

/** Something must be sent at least this often (BEP 3: two minutes, less the slack others grant). */
const KEEP_ALIVE_MS = 100 * SECOND_MS;
/** A peer that sends nothing for this long is gone. */
const SILENT_MS = 240 * SECOND_MS;

export interface CrowdHost {
  readonly shared: Shared;
  readonly traffic: Traffic;
  /** Owns what goes on in the background; it ends with the torrent. */
  readonly tasks: TaskGroup;
  /** Undefined while the metadata is not known. */
  content(): Content | undefined;
  /** Opens a connection; false when too many are being opened. */
  dial(address: PeerAddress): boolean;
  /** Whether one more connection fits the global cap. */
  hasRoom(): boolean;
  /** Makes some torrent part from a peer of no use; false when there is none. */
  makeRoom(): boolean;
  connectionsChanged(by: 1 | -1): void;
  extended(peer: Peer, extensionId: number, payload: Uint8Array): void;
  /** Says what follows our handshake. */
  introduce(peer: Peer): void;
  joined(peer: Peer): void;
  left(peer: Peer): void;
  dhtPortHeard(peer: Peer, port: number): void;
  storageFailed(error: unknown): void;
  wake(): void;
}

export class Crowd {
  readonly #host: CrowdHost;
  readonly #peers = new Set<Peer>();
  readonly #candidates: Candidates;
  readonly #choking: Choking;
  readonly #fast: FastPromises;
  readonly #exchange: PeerExchange;
  readonly #peerHost: PeerHost<Peer>;
  /** Of a torrent without v2 hashes, or without metadata. */
  readonly #hashRefusals = new HashRefusals(() => this.#nowMs());
  /** As a peer saw us last. */
  #ownHost: string | undefined;
  /** How often serve buffers had run out at the last check. */
  #refusalsSeen = 0;
  #isPaused = false;
  #isClosed = false;

  constructor(host: CrowdHost) {
    this.#host = host;
    this.#candidates = new Candidates(host.shared.ports.random);
    this.#exchange = new PeerExchange((address) => host.shared.allowAddress(address, 'told'));
    this.#choking = new Choking({
      peers: this.#peers,
      random: host.shared.ports.random,
      budget: host.shared.uploadSlots,
      isSeeding: () => host.content()?.isUploadOnly ?? false,
      uploadBytesPerSecond: () => host.traffic.uploadBytesPerSecond,
    });
    this.#fast = new FastPromises({
      hasher: host.shared.ports.hasher,
      tasks: host.tasks,
      content: () => host.content(),
      uploadBytesPerSecond: () => host.traffic.uploadBytesPerSecond,
      failed: (error) => host.storageFailed(error),
    });
    this.#peerHost = this.#createPeerHost();
  }

  get peers(): ReadonlySet<Peer> {
    return this.#peers;
  }

  get uploadSlots(): number {
    return this.#choking.slots;
  }

  /** Whether ticks are needed. */
  get isBusy(): boolean {
    return this.#peers.size > 0 || (!this.#isPaused && this.#candidates.hasWaiting(this.#wantsSeeds));
  }

  /** A peer that said itself, just now, that it listens there. */
  callBack(address: PeerAddress): void {
    this.#candidates.renew(address, this.#nowMs());
    this.addAddresses([address], 'observed');
  }

  /** Remembers addresses that pass the filter, and dials as many as caps allow. */
  addAddresses(addresses: readonly PeerAddress[], source: AddressSource): void {
    if (this.#isClosed) return;
    const { allowAddress, bans } = this.#host.shared;
    const nowMs = this.#nowMs();
    for (const address of addresses)
      if (allowAddress(address, source) && !bans.isHostBanned(address.host, nowMs))
        this.#candidates.add(address, nowMs);
    this.#host.wake();
    this.#dialMore(nowMs);
  }

  /** Takes a connection over after both handshakes; false for duplicates, banned peers and what exceeds the caps. */
  adopt(connection: Connection, handshake: Handshake, isOutgoing: boolean): boolean {
    const refusal = this.#refusalOf(connection, handshake, isOutgoing);
    if (refusal !== undefined) {
      connection.close(new ProtocolError(refusal));
      return false;
    }
    const { shared } = this.#host;
    const sourceId = shared.nextSourceId();
    const address = shared.addressTraffic.join(connection.remote?.host, this.#nowMs());
    const peer = new Peer({ sourceId, connection, handshake, isOutgoing, address, host: this.#peerHost });
    this.#peers.add(peer);
    this.#host.connectionsChanged(1);
    this.#host.introduce(peer);
    const content = this.#host.content();
    if (content !== undefined) this.#attach(peer, content);
    connection.own(peer);
    this.#host.wake();
    if (!connection.isClosed) this.#host.joined(peer);
    return true;
  }

  /** The metadata is known now: peers that waited for it get to work. */
  contentOpened(content: Content): void {
    for (const peer of this.#peers) this.#attach(peer, content);
  }

  /** An outgoing attempt ended without a peer, or a dialled peer is gone. */
  dialEnded(address: PeerAddress, ending: Ending = { wasUseful: false, isSeed: false }): void {
    if (this.#isClosed) return;
    this.#candidates.ended(address, ending, this.#nowMs());
    this.#host.wake();
  }

  /** The address could not be dialled just now; it stays next in line. */
  postpone(address: PeerAddress): void {
    this.#candidates.postpone(address);
    this.#host.wake();
  }

  forgetAddress(address: PeerAddress): void {
    this.#candidates.forget(address);
  }

  pexReceived(peer: Peer, message: PexMessage): void {
    this.addAddresses(this.#exchange.received(peer, message, this.#nowMs()), 'told');
  }

  /** The peer's own bytes were wrong: closed, and refused from now on. */
  convict(peer: Peer): void {
    const { bans, ports } = this.#host.shared;
    const { remote } = peer.connection;
    bans.ban({ host: remote?.host, peerIdHex: peer.peerIdHex }, this.#nowMs());
    ports.log.warn('peer.banned', { host: remote?.host, client: peer.client });
    if (remote !== undefined) this.#candidates.forget(remote);
    peer.connection.close(new HashMismatch('sent wrong bytes'));
  }

  /** Two that want nothing have nothing to tell each other (BEP 21); the place is for somebody who wants something. */
  partFromRedundant(peers: Iterable<Peer> = this.#peers): void {
    if (this.#host.content()?.isUploadOnly !== true) return;
    for (const peer of peers) if (peer.isSeed || peer.isUploadOnly) peer.connection.close();
  }

  /** Paused, nobody is dialled, let in or kept; what is known of addresses stays. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) for (const peer of this.#peers) peer.connection.close();
    else this.seekPeers();
  }

  /** More is wanted than before: those we parted from may have it. */
  seekPeers(): void {
    this.#candidates.renewAll(this.#nowMs());
    this.#host.wake();
    this.#dialMore(this.#nowMs());
  }

  /** A peer tells how it sees us; needed for the priorities of BEP 40. */
  ownHostTold(host: string): void {
    this.#ownHost = host;
  }

  /** Parts from a peer that brings and takes nothing; true when there was one. */
  giveUpPeer(): boolean {
    const nowMs = this.#nowMs();
    const id = chooseToPartFrom(Array.from(this.#peers, (peer) => this.#worthOf(peer, nowMs)));
    for (const peer of this.#peers) if (peer.sourceId === id) peer.connection.close(new TimedOut('no use for long'));
    return id !== undefined;
  }

  /** Serves what limits held back, who had nothing for longest first. */
  pump(): void {
    const { traffic } = this.#host;
    const peers = [...this.#peers];
    if (traffic.isLimited) peers.sort((a, b) => a.servedAtMs - b.servedAtMs);
    traffic.inRound(() => peers.forEach((peer) => peer.uploads?.pump()));
  }

  /** Once a second while busy. `isPrivate` is undefined while the metadata is not known. */
  check(nowMs: number, isPrivate: boolean | undefined): void {
    this.#choking.tick(nowMs);
    if (isPrivate === false) this.#exchange.tick(this.#peers, nowMs);
    for (const peer of this.#peers) {
      if (nowMs - peer.lastReceivedAtMs > SILENT_MS) peer.connection.close(new TimedOut('the peer is silent'));
      else if (nowMs - peer.lastSentAtMs > KEEP_ALIVE_MS) peer.keepAlive();
    }
    this.#partFromStalled(nowMs);
    this.#dialMore(nowMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#candidates.clear();
    for (const peer of this.#peers) peer.connection.close();
  }

  /** Peers that asked and then stopped reading must not keep the buffers others are served from. */
  #partFromStalled(nowMs: number): void {
    const { refusals } = this.#host.shared.serveBuffers;
    const othersWait = refusals > this.#refusalsSeen;
    this.#refusalsSeen = refusals;
    const readers = Array.from(this.#peers, (reader) => ({
      reader,
      stalledMs: reader.uploads?.stalledMs(nowMs) ?? 0,
      takenBytes: reader.uploads?.takenBytes ?? 0,
    }));
    for (const peer of chooseStalled(readers, othersWait))
      peer.connection.close(new TimedOut('the peer does not read what it asked for'));
  }

  get #wantsSeeds(): boolean {
    return this.#host.content()?.isUploadOnly !== true;
  }

  #nowMs(): number {
    return this.#host.shared.ports.clock.monotonicMs();
  }

  /** Why the connection is not wanted; undefined when it is. */
  #refusalOf(connection: Connection, handshake: Handshake, isOutgoing: boolean): string | undefined {
    const { shared } = this.#host;
    if (this.#isClosed) return 'the torrent is stopped';
    if (this.#isPaused) return 'the torrent is paused';
    const peerIdHex = toHex(handshake.peerId);
    if (shared.bans.isBanned({ host: connection.remote?.host, peerIdHex }, this.#nowMs())) return 'banned';
    for (const peer of this.#peers) {
      if (peer.peerIdHex !== peerIdHex) continue;
      // Both may have dialled each other at once: both keep the connection that the lower peer id opened.
      if (peer.isOutgoing === isOutgoing || isOutgoing !== this.#isLower(handshake)) return 'connected already';
      peer.connection.close();
    }
    if (this.#isCrowdedFrom(connection.remote)) return 'too many peers of this address';
    const hasPlace = this.#peers.size < shared.limits.maxConnectionsPerTorrent || this.giveUpPeer();
    return hasPlace && (this.#host.hasRoom() || this.#host.makeRoom()) ? undefined : 'no room';
  }

  /** One address must not fill a torrent's places. */
  #isCrowdedFrom(remote: PeerAddress | undefined): boolean {
    return this.#sharing(remote) >= this.#host.shared.limits.maxPeersPerAddress;
  }

  /** Peers at the address; none where many may live behind it. */
  #sharing(remote: PeerAddress | undefined): number {
    if (remote === undefined || isShared(remote.host)) return 0;
    let count = 0;
    for (const peer of this.#peers) if (peer.connection.remote?.host === remote.host) count++;
    return count;
  }

  #worthOf(peer: Peer, nowMs: number): PeerWorth {
    const address = peer.listenAddress ?? peer.connection.remote;
    const { listenPort = 0 } = this.#host.shared;
    const own = this.#ownHost === undefined ? undefined : { host: this.#ownHost, port: listenPort };
    const priority = own === undefined || address === undefined ? 0 : canonicalPriority(own, address);
    return worthOf(peer, { nowMs, priority, sharingAddress: this.#sharing(peer.connection.remote) });
  }

  #isLower(other: Handshake): boolean {
    return compareBytes(this.#host.shared.peerId, other.peerId) < 0;
  }

  #attach(peer: Peer, content: Content): void {
    try {
      content.addPeer(peer);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      peer.connection.close(error);
    }
  }

  #createPeerHost(): PeerHost<Peer> {
    const { shared, traffic } = this.#host;
    const content = (): Content | undefined => this.#host.content();
    return {
      clock: shared.ports.clock,
      servePool: shared.serveBuffers,
      uploadAllowance: (peer) => traffic.uploadAllowance(peer),
      chargeUpload: (peer, sizeBytes) => traffic.chargeUpload(sizeBytes, peer.address),
      interestChanged: (peer) => {
        this.#choking.interestChanged(peer);
        this.#fast.offer(peer);
      },
      unchoked: (peer) => content()?.downloader.peerUnchoked(peer),
      released: (peer, blockKeys) =>
        content()?.downloader.released(peer, blockKeys, peer.isClosed || peer.isChoking || peer.isSnubbed),
      refused: (peer, blockKey) => content()?.downloader.refused(peer, blockKey),
      gained: (peer, piece) => this.#onGained(peer, piece),
      lost: (peer, piece) => content()?.downloader.peerLost(peer, piece),
      received: (peer, block, sizeBytes) => {
        traffic.peerBlock(sizeBytes, block.isNew);
        content()?.received(peer, block);
      },
      extended: (peer, extensionId, payload) => this.#host.extended(peer, extensionId, payload),
      hashesRequested: (peer, request) => {
        const { hashes } = content() ?? {};
        if (hashes === undefined) this.#hashRefusals.refuse(peer, request);
        else hashes.requested(peer, request);
      },
      hashesReceived: (peer, request, hashes) => content()?.hashes?.answered(peer, request, hashes),
      hashesRejected: (peer, request) => content()?.hashes?.rejected(peer, request),
      openInflow: (gate, address) => traffic.openInflow(gate, address),
      turn: (peer) => content()?.downloader.turn(peer),
      dhtPortHeard: (peer, port) => this.#host.dhtPortHeard(peer, port),
      readFailed: (pieces, error) => content()?.readFailed(pieces, error),
      closed: (peer, cause) => this.#onClosed(peer, cause),
    };
  }

  #onGained(peer: Peer, piece: number | undefined): void {
    const content = this.#host.content();
    if (content === undefined) return;
    content.downloader.peerGained(peer, piece);
    this.partFromRedundant([peer]);
  }

  #onClosed(peer: Peer, cause: Error | undefined): void {
    this.#peers.delete(peer);
    this.#host.shared.addressTraffic.leave(peer.address);
    this.#choking.left();
    this.#host.connectionsChanged(-1);
    this.#host.content()?.peerLeft(peer);
    const { log } = this.#host.shared.ports;
    if (cause instanceof ProtocolError) this.#strike(peer, cause);
    log.debug('peer.closed', { client: peer.client, transport: peer.connection.transport, cause: cause?.message });
    if (peer.isOutgoing && peer.connection.remote !== undefined)
      this.dialEnded(peer.connection.remote, {
        wasUseful: peer.downloaded.totalBytes > 0,
        isSeed: peer.isSeed || peer.isUploadOnly,
      });
    this.#host.left(peer);
  }

  #strike(peer: Peer, cause: ProtocolError): void {
    const { bans, ports } = this.#host.shared;
    const host = peer.connection.remote?.host;
    if (!bans.strike({ host, peerIdHex: peer.peerIdHex }, this.#nowMs())) return;
    ports.log.warn('peer.banned', { host, client: peer.client, cause: cause.message });
  }

  #dialMore(nowMs: number): void {
    if (this.#isPaused) return;
    while (this.#peers.size < this.#host.shared.limits.maxConnectionsPerTorrent && this.#host.hasRoom()) {
      const address = this.#candidates.next(nowMs, this.#wantsSeeds);
      if (address === undefined) return;
      if (this.#host.dial(address)) continue;
      this.#candidates.postpone(address);
      return;
    }
  }
}
