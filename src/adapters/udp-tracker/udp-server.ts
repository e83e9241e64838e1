/**
 * Sockets for the UDP tracker. Invariant: memory is bounded however fast packets come, since answers beyond
 * `MAX_PENDING_SENDS` are dropped, as UDP may.
 */
import { createSocket, type RemoteInfo, type Socket, type SocketType } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { parseIp } from '../../base/address.ts';
import { throwIfAborted, Unavailable } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { UdpTracker } from '../../tracker/udp.ts';

const MAX_PENDING_SENDS = 2_000;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export interface UdpServerOptions {
  readonly tracker: Pick<UdpTracker, 'answer'>;
  readonly log: Log;
  /** IP literal to bind; `::` takes IPv4 too. */
  readonly host: string;
  /** 0 = any. */
  readonly port: number;
}

export class UdpServer {
  readonly #tracker: Pick<UdpTracker, 'answer'>;
  readonly #log: Log;
  readonly #socket: Socket;
  #pendingSends = 0;
  #droppedSends = 0;
  #stopped: Promise<void> | undefined;

  private constructor(options: UdpServerOptions, socket: Socket) {
    this.#tracker = options.tracker;
    this.#log = options.log;
    this.#socket = socket;
    socket.on('message', (packet, remote) => this.#receive(packet, remote));
    socket.on('error', (error) => this.#log.warn('udp_tracker.error', { error }));
  }

  /** Binds and serves until `stop`. @throws Unavailable when the address cannot be bound, Cancelled when aborted. */
  static async start(options: UdpServerOptions, signal?: AbortSignal): Promise<UdpServer> {
    throwIfAborted(signal);
    const type: SocketType = isIPv6(options.host) ? 'udp6' : 'udp4';
    const socket = createSocket({ type, lookup: literalLookup, recvBufferSize: RECEIVE_BUFFER_BYTES });
    try {
      // Asked before binding: with the address at hand, a socket may listen before `bind` returns.
      const listening = once(socket, 'listening', signal ? { signal } : {});
      socket.bind(options.port, options.host);
      await listening;
    } catch (error) {
      socket.close();
      throwIfAborted(signal);
      throw new Unavailable('the UDP tracker port cannot be bound', { port: options.port }, { cause: error });
    }
    return new UdpServer(options, socket);
  }

  /** The bound port. */
  get port(): number {
    return this.#socket.address().port;
  }

  /** Answers dropped because the network did not take them fast enough. */
  get droppedSends(): number {
    return this.#droppedSends;
  }

  /** Idempotent; resolves when the port is free again. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => this.#socket.close(resolve));
    return this.#stopped;
  }

  #receive(packet: Buffer, remote: RemoteInfo): void {
    // Port 0 cannot be answered; only raw sockets send from it.
    const answer = remote.port === 0 ? undefined : this.#answer(packet, remote);
    if (answer === undefined) return;
    if (this.#pendingSends >= MAX_PENDING_SENDS) {
      this.#droppedSends++;
      return;
    }
    this.#pendingSends++;
    this.#socket.send(answer, remote.port, remote.address, (error) => {
      this.#pendingSends--;
      if (error) this.#log.debug('udp_tracker.send_failed', { error });
    });
  }

  /** One packet that fails us must not end the process for everybody. */
  #answer(packet: Buffer, remote: RemoteInfo): Uint8Array | undefined {
    try {
      // A link-local sender comes with its zone, which is no part of the address.
      const ip = parseIp(remote.address.split('%', 1)[0] ?? '');
      return this.#tracker.answer(packet, ip, remote.port);
    } catch (error) {
      this.#log.error('udp_tracker.packet_failed', { error });
      return undefined;
    }
  }
}

/** Addresses here are literals: answering at once spares each packet a turn through the resolver. */
function literalLookup(
  host: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}
