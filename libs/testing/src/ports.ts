import { createServer } from 'node:net';

const LOWEST = 10_240;
const HIGHEST = 32_767;

/**
 * A loopback port nobody listens on.
 * It lies below the kernel's ephemeral range: a client that reconnects in a loop can then neither take the port of a
 * killed server as its own nor connect to itself, so that a server can come back on the same port.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    if (await isFree(port)) return port;
  }
}

/** Whether nobody listens on a loopback port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
