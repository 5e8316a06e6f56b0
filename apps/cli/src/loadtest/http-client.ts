import { once } from 'node:events';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** GETs over a fixed number of connections that are kept alive. */
export class HttpClient {
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;
  #closed = false;

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
    if (first !== 'stale') return first;
    // A server may close an idle connection at the moment it is used again; clients then ask once more (RFC 9110 §9.2.2).
    const leftMs = deadline - performance.now();
    const second = leftMs > 0 && !this.#closed ? await this.#once(path, headers, leftMs) : null;
    return second === 'stale' ? null : second;
  }

  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }

  async #once(path: string, headers: Record<string, string>, timeoutMs: number): Promise<Answer | 'stale' | null> {
    const request = this.#request(new URL(path, this.origin), { agent: this.#agent, headers });
    const timer = setTimeout(() => request.destroy(new Error('too late')), timeoutMs);
    request.on('error', () => {}); // also comes after the answer has begun, when nobody waits for it any more
    let heard = false;
    try {
      request.end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      heard = true;
      return { status: response.statusCode ?? 0, body: await text(response) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return !heard && request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE') ? 'stale' : null;
    } finally {
      clearTimeout(timer);
    }
  }
}
