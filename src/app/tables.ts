/** All tables and migrations of the one database. */
import { accountMigrations, type AccountTables } from '../accounts/tables.ts';
import { mediaMigrations, type MediaTables } from '../media/tables.ts';
import { dhtMigrations, type DhtTables } from './swarm/dht-rows.ts';

export type Tables = AccountTables & MediaTables & DhtTables;

export const migrations = [...accountMigrations, ...mediaMigrations, ...dhtMigrations];
