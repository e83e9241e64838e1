import { peerSocketContract } from '../contracts/peer-socket.ts';
import { systemClock } from '../../src/base/clock.ts';
import { MemoryNetwork } from './memory-network.ts';

peerSocketContract('memory', async () => {
  const network = new MemoryNetwork(systemClock);
  const [here, there] = [network.addHost('10.0.0.1'), network.addHost('10.0.0.2')];
  const accepted = Promise.withResolvers<Parameters<Parameters<typeof there.listen>[1]>[0]>();
  there.listen(1, accepted.resolve);
  const near = await here.dial({ host: '10.0.0.2', port: 1 });
  const far = await accepted.promise;
  return {
    near,
    far,
    stop: () => {
      near.close();
      far.close();
      return Promise.resolve();
    },
  };
});
