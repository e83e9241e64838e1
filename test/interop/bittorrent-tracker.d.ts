/** The parts of the stock tracker client (a development dependency without types) that tests and benches use. */
declare module 'bittorrent-tracker' {
  import type { Server as HttpServer } from 'node:http';

  export interface StockTrackerClientOptions {
    readonly infoHash: string;
    readonly peerId: Uint8Array;
    readonly announce: readonly string[];
    readonly port: number;
    readonly wrtc?: false;
  }

  export class Client {
    constructor(options: StockTrackerClientOptions);
    on(event: string, listener: (value: never) => void): this;
    start(options?: Readonly<Record<string, unknown>>): void;
    update(options?: Readonly<Record<string, unknown>>): void;
    complete(options?: Readonly<Record<string, unknown>>): void;
    stop(options?: Readonly<Record<string, unknown>>): void;
    scrape(options?: Readonly<Record<string, unknown>>): void;
    destroy(done?: () => void): void;
  }

  export class Server {
    constructor(options: Readonly<Record<string, unknown>>);
    readonly http: HttpServer;
    on(event: string, listener: (value: never) => void): this;
    once(event: string, listener: (value: never) => void): this;
    listen(ports: Readonly<Record<string, number>>, hosts: Readonly<Record<string, string>>): void;
    close(done?: () => void): void;
  }
}
