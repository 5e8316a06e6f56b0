import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface List {
  ids: string[];
  newest: bigint;
}

/**
 * A store outside every transaction: lists, read and written as a whole, where the last write wins. The list `checked`
 * accepts nobody whose token is older than the newest it has seen, in reads as in writes: one who has only read must
 * already keep an older writer out, else that one's write would be overwritten by what was read before it.
 */
export class ExternalStore {
  readonly #lists = new Map<string, List>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<ExternalStore> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const store = new ExternalStore(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request: IncomingMessage, response) => {
      void store.#answer(request).then(
        ({ status, body }) => response.writeHead(status).end(JSON.stringify(body)),
        () => response.writeHead(400).end('{}'),
      );
    });
    return store;
  }

  list(name: string): readonly string[] {
    return this.#of(name).ids;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url);
    const name = pathname.slice(1);
    const written = request.method === 'PUT' ? ((await bodyOf(request)) as string[]) : undefined;
    // Nothing is awaited from here on: a check and its write are one step.
    const list = this.#of(name);
    const token = BigInt(searchParams.get('token') ?? 0);
    if (name === 'checked' && token < list.newest) return { status: 409, body: { newest: String(list.newest) } };
    list.newest = token;
    if (written) list.ids = written;
    return { status: 200, body: list.ids };
  }

  #of(name: string): List {
    const list = this.#lists.get(name) ?? { ids: [], newest: 0n };
    this.#lists.set(name, list);
    return list;
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}
