/** Rows of identities, sessions and used tokens. Secrets are stored as their SHA-256 only. */
import type { Migration } from '../store/rows.ts';

export interface AccountTables {
  identity: {
    pubkey: string;
    role: 'owner' | 'member';
    /** Bytes this identity may keep; null = the server's default. */
    quota_bytes: number | null;
    created_at_ms: number;
  };
  session: {
    /** SHA-256 (hex) of the cookie's token. */
    token_sha256: string;
    pubkey: string;
    created_at_ms: number;
    expires_at_ms: number;
  };
  /** Ids of signed events that may be used once (NIP-98, Blossom deletes), kept until they expire by themselves. */
  used_token: {
    event_id: string;
    expires_at_ms: number;
  };
}

export const accountMigrations: readonly Migration[] = [
  {
    name: '0001_accounts',
    statements: [
      `CREATE TABLE identity (
         pubkey text PRIMARY KEY,
         role text NOT NULL CHECK (role IN ('owner', 'member')),
         quota_bytes bigint,
         created_at_ms bigint NOT NULL
       )`,
      `CREATE UNIQUE INDEX identity_one_owner ON identity (role) WHERE role = 'owner'`,
      `CREATE TABLE session (
         token_sha256 text PRIMARY KEY,
         pubkey text NOT NULL,
         created_at_ms bigint NOT NULL,
         expires_at_ms bigint NOT NULL
       )`,
      `CREATE INDEX session_expiry ON session (expires_at_ms)`,
      `CREATE TABLE used_token (event_id text PRIMARY KEY, expires_at_ms bigint NOT NULL)`,
      `CREATE INDEX used_token_expiry ON used_token (expires_at_ms)`,
    ],
  },
];
