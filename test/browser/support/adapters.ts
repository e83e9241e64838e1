/** What tests of the browser adapters run in pages and workers. */
export { ChannelSocket } from '../../../src/adapters/browser/channel-socket.ts';
export { FetchSource } from '../../../src/adapters/browser/fetch-source.ts';
export { FileStorage } from '../../../src/adapters/browser/file-storage.ts';
export { MemoryBudget, MemoryStorage } from '../../../src/adapters/browser/memory-storage.ts';
export { OpfsFolder } from '../../../src/adapters/browser/opfs-folder.ts';
export { OpfsStorage } from '../../../src/adapters/browser/opfs-storage.ts';
export { PieceVault } from '../../../src/adapters/browser/piece-vault.ts';
export { RecordedStorage } from '../../../src/adapters/browser/recorded-storage.ts';
export { RelayedChannel, relayChannel } from '../../../src/adapters/browser/relayed-channel.ts';
export { subtleHasher } from '../../../src/adapters/browser/subtle-hasher.ts';
export { systemClock } from '../../../src/base/clock.ts';
export { toHex } from '../../../src/base/bytes.ts';
export { LeastRecentBudget } from '../../../src/adapters/browser/storage-budget.ts';
