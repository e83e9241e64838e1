/** The choices of `--encryption`, without loading the engine for them. */
export { ENCRYPTION_POLICIES, type EncryptionPolicy } from '../../torrent/peer/opening.ts';
