/** The one thread that writes to a database file: takes a group, commits and syncs it, answers. Closes on request. */
import { parentPort, workerData } from 'node:worker_threads';
import { StorageFailed } from '../../base/errors.ts';
import { Connection } from './connection.ts';
import { commitGroup } from './group-commit.ts';
import type { FromWriter, ToWriter, WriterSetup } from './messages.ts';

const port = parentPort;
if (port === null) throw new StorageFailed('the database writer runs in a worker thread only');
const setup = workerData as WriterSetup;
const connection = Connection.writer(setup.file, setup.synchronous);

port.on('message', (message: ToWriter) => {
  switch (message.kind) {
    case 'group':
      port.postMessage({ outcomes: commitGroup(connection, message.units) } satisfies FromWriter);
      return;
    case 'close':
      connection.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      connection.close();
      port.close();
  }
});
