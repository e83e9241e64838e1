/** One swarm: compact peers of HTTP and UDP, members of WebSocket, and what they add up to. */
import type { SwarmCounts } from '../codec/announce.ts';
import { COMPACT_BYTES } from '../codec/compact-peers.ts';
import { Members } from './members.ts';
import { PeerTable } from './peer-table.ts';

export class Swarm {
  /** Peers that have announced `completed`. */
  completed = 0;
  /** When the registry looks for expired peers next; undefined while nothing is scheduled. */
  sweepTick: number | undefined;
  #v4: PeerTable | undefined;
  #v6: PeerTable | undefined;
  #members: Members | undefined;

  /** The table for a compact peer of 6 or 18 bytes. */
  tableFor(peer: Uint8Array): PeerTable {
    if (peer.length === COMPACT_BYTES.v4) return (this.#v4 ??= new PeerTable('v4'));
    return (this.#v6 ??= new PeerTable('v6'));
  }

  get v4(): PeerTable | undefined {
    return this.#v4;
  }

  get v6(): PeerTable | undefined {
    return this.#v6;
  }

  /** WebSocket members, if there are any. */
  get members(): Members | undefined {
    return this.#members;
  }

  /** WebSocket members, made at need. */
  ensureMembers(): Members {
    return (this.#members ??= new Members());
  }

  get size(): number {
    return (this.#v4?.size ?? 0) + (this.#v6?.size ?? 0) + (this.#members?.size ?? 0);
  }

  counts(): SwarmCounts {
    const seeders = (this.#v4?.seeders ?? 0) + (this.#v6?.seeders ?? 0) + (this.#members?.seeders ?? 0);
    return { seeders, leechers: this.size - seeders, completed: this.completed };
  }

  /** Lets expired peers go; returns the earliest expiry that remains. */
  expire(nowTick: number): number | undefined {
    const ticks = [this.#v4?.expire(nowTick), this.#v6?.expire(nowTick), this.#members?.expire(nowTick)];
    const remaining = ticks.filter((tick) => tick !== undefined);
    if (this.#v4?.size === 0) this.#v4 = undefined;
    if (this.#v6?.size === 0) this.#v6 = undefined;
    if (this.#members?.size === 0) this.#members = undefined;
    return remaining.length === 0 ? undefined : Math.min(...remaining);
  }
}
