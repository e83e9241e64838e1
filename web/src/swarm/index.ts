/** The public face of the swarm for the pages of the web app. */
export type {
  HeldMedium,
  OpenMedium,
  SeededFile,
  SeedOptions,
  SeedProgress,
  SwarmClient,
  SwarmLibrary,
  SwarmMedium,
  SwarmSettings,
  SwarmSettingsStore,
  SwarmStats,
  SwarmStatus,
  SwarmUsage,
} from './types.ts';
