import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MANY_KEYS, type Opened, type Task } from '../contestant.js';

/** The smallest script a limiter could run: one counter with a lifetime. */
export const COUNT_LUA = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count`;
export const COUNT_TTL_MS = 60_000;
/** What `GET` fetches. */
const VALUE = 'x'.repeat(200);

/** What every client of the suite `commands` can do. */
export interface CommandClient {
  /** Runs {@link COUNT_LUA} by EVALSHA. */
  count(id: number): Promise<number>;
  get(): Promise<string | null>;
  set(value: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Opens a client for `evalsha`, `get`, or `http`: a plain server that counts once per request. */
export async function openClient(client: CommandClient, { work }: Task): Promise<Opened> {
  const close = () => client.close();
  const verify = () => problemOf(client);
  if (work === 'get') {
    await client.set(VALUE);
    return { operate: async () => (await client.get()) === VALUE, verify, close };
  }
  if (work === 'evalsha')
    return { operate: async (index) => (await client.count(index % MANY_KEYS)) > 0, verify, close };

  let admitted = 0;
  const server = createServer((_request, response) => {
    client.count(admitted++ % MANY_KEYS).then(
      (count) => response.end(`{"count":${count}}`),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    admitted: () => admitted,
    verify,
    async close() {
      server.closeAllConnections();
      server.close();
      await client.close();
    },
  };
}

/** A hundred counts of one key at once must be answered 1, 2, …, 100 in this order. */
async function problemOf(client: CommandClient): Promise<string | undefined> {
  const counts = await Promise.all(Array.from({ length: 100 }, () => client.count(MANY_KEYS)));
  const wrong = counts.findIndex((count, index) => count !== index + 1);
  return wrong === -1 ? undefined : `count ${wrong + 1} of 100 was answered ${counts[wrong]}`;
}
