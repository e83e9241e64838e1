/** The page around `rtc-worker.ts`: it makes the connection and moves the channel to the worker in the task that made it. */
import type { Said, Task } from './rtc-worker.ts';

export class PageEnd {
  readonly #connection = new RTCPeerConnection({ iceServers: [] });
  readonly #worker = new Worker('/rtc-worker.js', { type: 'module' });
  readonly #done = Promise.withResolvers<number>();

  /** Resolves when the worker has all it needs but the channel. */
  prepare(task: Task): Promise<void> {
    const ready = Promise.withResolvers<void>();
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Said>) => {
      if (data.kind === 'ready') ready.resolve();
      else this.#done.resolve(data.seconds);
    });
    this.#worker.addEventListener('error', ({ message }) => {
      ready.reject(new Error(message));
      this.#done.reject(new Error(message));
    });
    this.#worker.postMessage({ task });
    return ready.promise;
  }

  /** A complete offer. */
  async offer(): Promise<string> {
    this.#move(this.#connection.createDataChannel('bt'));
    await this.#connection.setLocalDescription();
    return this.#gathered();
  }

  /** A complete answer. */
  async answer(sdp: string): Promise<string> {
    this.#connection.addEventListener('datachannel', ({ channel }) => this.#move(channel));
    await this.#connection.setRemoteDescription({ type: 'offer', sdp });
    await this.#connection.setLocalDescription();
    return this.#gathered();
  }

  accept(sdp: string): Promise<void> {
    return this.#connection.setRemoteDescription({ type: 'answer', sdp });
  }

  /** Seconds that the transfer took; only a receiving end knows. */
  done(): Promise<number> {
    return this.#done.promise;
  }

  #move(channel: RTCDataChannel): void {
    this.#worker.postMessage({ channel }, [channel]);
    this.#connection.addEventListener('connectionstatechange', () => {
      const { connectionState, sctp } = this.#connection;
      if (connectionState === 'connected') this.#worker.postMessage({ maxMessageBytes: sctp?.maxMessageSize });
    });
  }

  #gathered(): Promise<string> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#connection.iceGatheringState === 'complete') resolve(this.#connection.localDescription?.sdp ?? '');
      };
      this.#connection.addEventListener('icegatheringstatechange', check);
      check();
    });
  }
}

declare global {
  var benchEnd: PageEnd | undefined;
}

/** The one end of this page. */
export function end(): PageEnd {
  globalThis.benchEnd ??= new PageEnd();
  return globalThis.benchEnd;
}
