/** The WebSocket peers of one swarm: found by id, picked from any start without walking a map. */
import type { LatinId, WsServerMessage } from '../codec/tracker-ws.ts';

/** One peer in one swarm, reached through its socket. */
export interface Member {
  readonly peerId: LatinId;
  readonly remoteHost: string;
  isSeeder: boolean;
  trickle: boolean;
  expiryTick: number;
  /** False when the socket is congested or gone: relay to somebody else. */
  send(message: WsServerMessage): boolean;
  /** It has not announced for too long and is no longer in the swarm. */
  expired(): void;
}

export class Members {
  readonly #list: Member[] = [];
  readonly #places = new Map<LatinId, number>();
  #seeders = 0;

  get size(): number {
    return this.#list.length;
  }

  get seeders(): number {
    return this.#seeders;
  }

  get(peerId: LatinId): Member | undefined {
    const place = this.#places.get(peerId);
    return place === undefined ? undefined : this.#list[place];
  }

  /** Puts a member in, in place of one with the same id. */
  set(member: Member): void {
    this.delete(member.peerId);
    this.#places.set(member.peerId, this.#list.length);
    this.#list.push(member);
    this.#seeders += Number(member.isSeeder);
  }

  setSeeder(member: Member, isSeeder: boolean): void {
    this.#seeders += Number(isSeeder) - Number(member.isSeeder);
    member.isSeeder = isSeeder;
  }

  /** True when it was there. */
  delete(peerId: LatinId): boolean {
    const place = this.#places.get(peerId);
    const last = this.#list.at(-1);
    if (place === undefined || last === undefined) return false;
    this.#seeders -= Number(this.#list[place]?.isSeeder ?? false);
    this.#list[place] = last;
    this.#places.set(last.peerId, place);
    this.#list.pop();
    this.#places.delete(peerId);
    return true;
  }

  /** Members from `start` on, once round, at most `limit`. */
  *from(start: number, limit: number): Generator<Member> {
    const count = Math.min(limit, this.#list.length);
    for (let look = 0; look < count; look++) {
      const member = this.#list[(start + look) % this.#list.length];
      if (member !== undefined) yield member;
    }
  }

  /** Removes members whose tick has come and tells them; returns the earliest tick that remains. */
  expire(nowTick: number): number | undefined {
    let earliest: number | undefined;
    for (const member of this.#list.slice()) {
      if (member.expiryTick > nowTick) earliest = Math.min(earliest ?? member.expiryTick, member.expiryTick);
      else {
        this.delete(member.peerId);
        member.expired();
      }
    }
    return earliest;
  }
}
