import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** GETs over a fixed number of connections that are kept alive. */
export class HttpClient {
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;

  constructor(
    private readonly origin: URL,
    connections: number,
  ) {
    const secure = origin.protocol === 'https:';
    this.#agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: connections });
    this.#request = secure ? httpsRequest : httpRequest;
  }

  /** Resolves to the complete answer, or to null when there is none in time. */
  async get(path: string, headers: Record<string, string>, timeoutMs: number): Promise<Answer | null> {
    const deadline = performance.now() + timeoutMs;
    const first = await this.#once(path, headers, timeoutMs);
    // A server may close an idle connection at the moment it is used again; clients then ask once more (RFC 9110 §9.2.2).
    const again = first === 'stale' ? await this.#once(path, headers, deadline - performance.now()) : first;
    return again === 'stale' ? null : again;
  }

  close(): void {
    this.#agent.destroy();
  }

  #once(path: string, headers: Record<string, string>, timeoutMs: number): Promise<Answer | 'stale' | null> {
    return new Promise((resolve) => {
      const request = this.#request(new URL(path, this.origin), { agent: this.#agent, headers });
      const timer = setTimeout(() => request.destroy(), Math.max(timeoutMs, 1));
      let heard = false;
      const done = (answer: Answer | 'stale' | null) => {
        clearTimeout(timer);
        resolve(answer);
      };
      request.on('response', (response) => {
        heard = true;
        void textOf(response).then((body) => done(body === null ? null : { status: response.statusCode ?? 0, body }));
      });
      request.on('error', ({ code }: NodeJS.ErrnoException) => {
        if (!heard) done(request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE') ? 'stale' : null);
      });
      request.end();
    });
  }
}

/** The whole body, or null when it broke off. */
async function textOf(response: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString();
}
