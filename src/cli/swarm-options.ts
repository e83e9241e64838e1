/** How `get` and `seed` take part in a swarm: the options they share, their help, and what they mean. */
import { ENCRYPTION_POLICIES, type EncryptionPolicy } from '../app/swarm/encryption.ts';
import { readChoice, readNumber, WrongUsage } from './command.ts';

export const SWARM_OPTIONS = {
  port: { type: 'string' },
  encryption: { type: 'string' },
  lsd: { type: 'boolean' },
  dht: { type: 'boolean' },
  'dht-node': { type: 'string', multiple: true },
} as const;

/** Lines for a command's help. */
export const SWARM_HELP = `\
      --port <number>  Port for peers that connect to us; default: any
      --encryption <policy>  Encrypted handshakes: prefer (default), require or off
      --lsd            Also look for peers in your own network (BEP 14)
      --dht            Also look for peers in the DHT (BEP 5), starting from the nodes named
      --dht-node <host:port>  A node to begin with, such as router.bittorrent.com:6881 (may be given several times)`;

/** How the DHT is to be used. */
export interface DhtWish {
  /** UDP; 0 = any. */
  readonly port: number;
  /** `host:port` each. */
  readonly bootstrap: readonly string[];
}

export interface SwarmWish {
  /** TCP and uTP; 0 = any. */
  readonly port: number;
  readonly encryption: EncryptionPolicy;
  /** Undefined = no part in the DHT. */
  readonly dht: DhtWish | undefined;
  readonly lsd: boolean;
}

/** The values that `readArguments` found for `SWARM_OPTIONS`. */
interface SwarmValues {
  readonly port?: string | undefined;
  readonly encryption?: string | undefined;
  readonly lsd?: boolean | undefined;
  readonly dht?: boolean | undefined;
  readonly 'dht-node'?: readonly string[] | undefined;
}

/** @throws WrongUsage naming the option */
export function readSwarm(values: SwarmValues): SwarmWish {
  return {
    port: values.port === undefined ? 0 : readNumber('port', values.port, 1, 65_535),
    encryption: readChoice('encryption', values.encryption ?? 'prefer', ENCRYPTION_POLICIES),
    dht: readDht(values),
    lsd: values.lsd === true,
  };
}

function readDht(values: SwarmValues): DhtWish | undefined {
  const bootstrap = values['dht-node'] ?? [];
  if (values.dht === true) return { port: 0, bootstrap };
  if (bootstrap.length > 0) throw new WrongUsage('--dht-node goes with --dht');
  return undefined;
}
