/** A public key as people copy it. */
import { useEffect, useState } from 'react';
import type { Pubkey } from '../../../src/base/ids.ts';
import { inBackground } from '../app/problems.ts';

/** `npub1…` (NIP-19), once its encoder is loaded. */
export function useNpub(pubkey: Pubkey | undefined): string | undefined {
  const [npub, setNpub] = useState<string>();
  useEffect(() => {
    if (pubkey === undefined) return;
    const encode = async (): Promise<void> => {
      const { encodePubkey } = await import('./keys.ts');
      setNpub(encodePubkey(pubkey));
    };
    inBackground(encode());
  }, [pubkey]);
  return npub;
}
