/**
 * Plain sockets whose bytes come straight from the system, past the streams of Node: half the price of a short reply.
 *
 * ioredis connects by them; TLS has to go through its stream.
 */

import { createConnection, type Socket } from 'node:net';
import { AbstractConnector, type RedisOptions } from 'ioredis';

// What one read takes, as streams do. A longer piece is handed on as it is; a short one is copied, so that an id in it
// does not keep all of that.
const READ = 1 << 16;
const SHORT = 1 << 12;

type Bytes = (piece: Buffer) => void;

interface Where {
  readonly disconnectTimeout: number;
  readonly host: string;
  readonly port: number;
  readonly family: number;
  readonly path?: string;
}

/** The options by which ioredis connects, and onBytes hears what comes; undefined: it must go through a stream. */
export function connectorTo(options: RedisOptions, onBytes: Bytes): RedisOptions['Connector'] | undefined {
  if (options.tls !== undefined) return undefined;
  return class extends AbstractConnector {
    readonly #options: Where;

    /** whole: the same options with the defaults of ioredis. */
    constructor(whole: unknown) {
      super((whole as Where).disconnectTimeout);
      this.#options = whole as Where;
    }

    override connect(): Promise<Socket> {
      const { path, host, port, family } = this.#options;
      const where = path ? { path } : { host, port, family };
      const socket = createConnection({ ...where, onread: reading(onBytes) });
      socket.once('error', (error) => {
        this.firstError = error;
      });
      this.connecting = true;
      this.stream = socket;
      return Promise.resolve(socket);
    }
  };
}

function reading(onBytes: Bytes) {
  let buffer = Buffer.allocUnsafeSlow(READ);
  return {
    // Asked for after each piece.
    buffer: () => buffer,
    callback: (size: number) => {
      if (size <= SHORT) onBytes(Buffer.from(buffer.subarray(0, size)));
      else {
        const piece = buffer.subarray(0, size);
        buffer = Buffer.allocUnsafeSlow(READ);
        onBytes(piece);
      }
      return true;
    },
  };
}
