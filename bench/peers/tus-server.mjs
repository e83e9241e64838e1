/** Rival of the ingest bench: @tus/server with its own file store and nothing else. `node tus-server.mjs <folder>` */
import http from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [folder] = process.argv.slice(2);
const tus = new Server({ path: '/api/v1/uploads', datastore: new FileStore({ directory: folder }) });
const server = http.createServer((request, response) => void tus.handle(request, response));
server.listen(0, '127.0.0.1', () => console.log(`READY ${server.address().port}`));
process.once('SIGTERM', () => process.exit(0));
