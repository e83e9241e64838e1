/** Who signs: a key of this browser, or an extension that keeps the key to itself (NIP-07). */
import { Forbidden, Unavailable } from '../../../src/base/errors.ts';
import { parsePubkey, type Pubkey } from '../../../src/base/ids.ts';
import { signEvent, type SignedEvent, type UnsignedEvent } from '../../../src/nostr/event.ts';
import type { Identity } from './vault.ts';

/** What NIP-07 puts on `window.nostr`, as far as we use it. */
export interface NostrExtension {
  getPublicKey(): Promise<string>;
  signEvent(event: UnsignedEvent): Promise<SignedEvent>;
}

/** The visitor's NIP-07 extension, if one is installed. */
export function findExtension(scope: object = globalThis): NostrExtension | undefined {
  const { nostr } = scope as { nostr?: Partial<NostrExtension> };
  const isComplete = typeof nostr?.getPublicKey === 'function' && typeof nostr.signEvent === 'function';
  return isComplete ? (nostr as NostrExtension) : undefined;
}

function requireExtension(): NostrExtension {
  const extension = findExtension();
  if (extension === undefined) throw new Unavailable('no Nostr extension was found in this browser');
  return extension;
}

/** Asks the extension who the user is. @throws Unavailable, Forbidden when the user declines */
export async function extensionPubkey(): Promise<Pubkey> {
  const extension = requireExtension();
  return parsePubkey(await asked(extension.getPublicKey()));
}

/** Signs with the identity's key. @throws Unavailable, Forbidden when the extension's user declines or holds another key */
export async function signAs(identity: Identity, event: UnsignedEvent): Promise<SignedEvent> {
  if (identity.kind === 'local') return signEvent(identity.secretKey, event);
  const signed = await asked(requireExtension().signEvent(event));
  if (signed.pubkey !== identity.pubkey) throw new Forbidden('the extension signed with another key than before');
  return signed;
}

async function asked<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (cause) {
    throw new Forbidden('the extension did not sign', {}, { cause });
  }
}
