/** What a node remembers from one start to the next, as bytes: its id, and nodes that answered lately. Bounded. */
import { InvalidInput } from '../base/errors.ts';
import { encodeBencode, decodeBencodeDict } from '../codec/bencode.ts';
import { type DhtContact, decodeContacts, encodeContacts, NODE_ID_BYTES } from '../codec/krpc.ts';

/** Enough that some live after weeks. */
export const MAX_REMEMBERED = 100;
const MAX_BYTES = 16 * 1_024;
const LIMITS = { maxDepth: 1, maxValues: 10 };

export interface DhtMemory {
  /** 20 bytes. */
  readonly id: Uint8Array;
  /** The last heard of first. */
  readonly contacts: readonly DhtContact[];
}

/** At most 4 KB. */
export function encodeMemory({ id, contacts }: DhtMemory): Uint8Array<ArrayBuffer> {
  const kept = contacts.slice(0, MAX_REMEMBERED);
  return encodeBencode({ id, nodes: encodeContacts(kept, 'v4'), nodes6: encodeContacts(kept, 'v6') });
}

/** @throws InvalidInput */
export function decodeMemory(bytes: Uint8Array): DhtMemory {
  if (bytes.length > MAX_BYTES) throw new InvalidInput('remembered DHT nodes too long', { length: bytes.length });
  const dict = decodeBencodeDict(bytes, LIMITS);
  const id = dict.bytes('id');
  if (id?.length !== NODE_ID_BYTES) throw new InvalidInput('remembered DHT nodes without an id');
  const contacts = (['v4', 'v6'] as const).flatMap((family) =>
    decodeContacts(dict.bytes(family === 'v4' ? 'nodes' : 'nodes6'), family, MAX_REMEMBERED),
  );
  return { id: id.slice(), contacts };
}
