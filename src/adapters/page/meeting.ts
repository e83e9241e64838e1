/**
 * How a page meets peers for the engine in its worker: one socket to the tracker, open only while some torrent wants it,
 * all WebRTC connections, and their data channels moved to the worker in the task that makes them.
 */
import type { LinkId, LinkMessage, SwarmWish } from '../browser/link-messages.ts';
import { relayChannel } from '../browser/relayed-channel.ts';
import { randomBytes } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { MIB } from '../../base/units.ts';
import { type LatinId, latinIdOf } from '../../codec/tracker-ws.ts';
import { PeerLinks } from './peer-links.ts';
import { Rendezvous } from './rendezvous.ts';
import { RtcLink } from './rtc-link.ts';
import { TrackerSocket } from './tracker-socket.ts';

const RELAY_RESUME_BYTES = MIB;
const OFFER_ID_BYTES = 20;

/** Where peers meet. */
export interface MeetingPlace {
  /** `ws:` or `wss:`. */
  readonly trackerUrl: string;
  /** Always the operator's own; an empty list asks nobody. */
  readonly iceServers: readonly RTCIceServer[];
}

/** Whether the tracker is reached, and how many peers are connected. */
export interface MeetingStatus {
  readonly tracker: 'off' | 'connecting' | 'connected';
  /** Open connections to peers. */
  readonly connections: number;
}

export interface MeetingPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** The engine's peer id. */
  readonly ownId: LatinId;
  /** Asked at each new connection: relay credentials expire. */
  place(): MeetingPlace;
  /** Posts to the worker. Throws DataCloneError or TypeError where the browser cannot transfer channels. */
  tell(message: LinkMessage, transfer?: Transferable[]): void;
  changed(status: MeetingStatus): void;
}

export class Meeting {
  readonly #ports: MeetingPorts;
  readonly #links: PeerLinks;
  readonly #tracker: TrackerSocket;
  readonly #rendezvous: Rendezvous;

  constructor(ports: MeetingPorts) {
    this.#ports = ports;
    const { clock, log, random, ownId } = ports;
    this.#links = this.#createLinks();
    this.#tracker = new TrackerSocket({
      clock,
      log,
      random,
      connect: () => new WebSocket(ports.place().trackerUrl),
      opened: () => this.#rendezvous.connected(),
      received: (message) => this.#rendezvous.receive(message),
      changed: () => {
        if (this.#tracker.state !== 'connected') this.#rendezvous.disconnected();
        this.#tellStatus();
      },
    });
    this.#rendezvous = new Rendezvous({
      clock,
      random,
      ownId,
      links: this.#links,
      send: (message) => void this.#tracker.send(message),
    });
  }

  /** Joins the torrent's swarm, or tells what changed. */
  wish(key: SwarmKey, wish: SwarmWish): void {
    this.#tracker.start();
    this.#rendezvous.wish(key, wish);
  }

  leave(key: SwarmKey): void {
    this.#rendezvous.leave(key);
    if (this.#rendezvous.isEmpty) this.#tracker.stop();
  }

  /** The worker is done with a connection. */
  linkDone(link: LinkId): void {
    this.#links.close(link);
  }

  /** The network is back: no further pause. */
  retryNow(): void {
    this.#tracker.retryNow();
  }

  /** Says goodbye to tracker and peers, at once; for `pagehide`, where nothing can be awaited. */
  close(): void {
    this.#rendezvous.leaveAll();
    this.#tracker.stop();
    this.#links.closeAll();
  }

  #createLinks(): PeerLinks {
    const ports = this.#ports;
    const { clock, log, ownId } = ports;
    return new PeerLinks({
      clock,
      log,
      ownId,
      newOfferId: () => latinIdOf(randomBytes(OFFER_ID_BYTES)),
      connect: (events) => new RtcLink(ports.place().iceServers, events, clock),
      deliver: (link, key, channel) => this.#deliver(link, key, channel),
      opened: (link, maxMessageBytes) => ports.tell({ kind: 'link-open', link, maxMessageBytes }),
      ended: (link) => ports.tell({ kind: 'link-ended', link }),
      sendAnswer: (swarmKey, toPeerId, offerId, sdp) =>
        this.#tracker.send({ type: 'answer', swarmKey, peerId: ownId, toPeerId, offerId, sdp }),
      sendCandidate: (swarmKey, toPeerId, offerId, candidate) =>
        this.#tracker.send({
          type: 'candidate',
          swarmKey,
          peerId: ownId,
          offerId,
          candidate,
          ...(toPeerId !== undefined && { toPeerId }),
        }),
      changed: () => this.#tellStatus(),
    });
  }

  #deliver(link: LinkId, key: SwarmKey, channel: RTCDataChannel): void {
    try {
      this.#ports.tell({ kind: 'channel', link, key, channel }, [channel]);
    } catch (error) {
      // This browser cannot transfer channels: the page passes their messages on.
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      const { port1, port2 } = new MessageChannel();
      relayChannel(channel, port1, RELAY_RESUME_BYTES);
      this.#ports.tell({ kind: 'relay', link, key, port: port2 }, [port2]);
    }
  }

  #tellStatus(): void {
    this.#ports.changed({ tracker: this.#tracker.state, connections: this.#links.openLinks });
  }
}
