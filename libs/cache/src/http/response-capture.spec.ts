import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { RawResponse } from './http-exchange.js';
import { capture, type Amendment, type WholeResponse } from './response-capture.js';

let server: Server | undefined;
afterEach(() => new Promise((resolve) => server?.close(resolve)));

async function ask(listener: RequestListener): Promise<Response> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return fetch(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
}

/** What was captured, and whether it was sent in parts. */
class Seen {
  whole: WholeResponse | undefined;
  streamed = 0;

  by(response: ServerResponse, amend: () => Promise<Amendment | undefined> = () => Promise.resolve(undefined)): void {
    capture(response as unknown as RawResponse, {
      whole: (whole) => {
        this.whole = whole;
        return amend();
      },
      streamed: () => this.streamed++,
    });
  }
}

describe('capturing a response', () => {
  const heads: [string, (response: ServerResponse) => unknown][] = [
    ['an object', (response) => response.writeHead(203, { 'X-A': 'new', 'x-b': ['1', '2'] })],
    ['a message and an object', (response) => response.writeHead(203, 'Fine', { 'X-A': 'new', 'x-b': ['1', '2'] })],
    ['names and values by turns', (response) => response.writeHead(203, ['x-a', 'new', 'x-b', '1', 'x-b', '2'])],
  ];

  it.each(heads)('sees status, headers and bytes of a head that is %s, and sends them', async (_, writeHead) => {
    const seen = new Seen();
    const answer = await ask((_request, response) => {
      seen.by(response);
      response.setHeader('x-a', 'old');
      writeHead(response);
      response.end('6162', 'hex');
    });
    expect([answer.status, await answer.text()]).toEqual([203, 'ab']);
    expect([answer.headers.get('x-a'), answer.headers.get('x-b')]).toEqual(['new', '1, 2']);
    expect(seen.whole).toMatchObject({ status: 203, body: Buffer.from('ab') });
    expect(seen.whole?.headers.get('x-a')).toBe('new');
  });

  it('holds it back, as one that has ended, until it is told to send it', async () => {
    let ended: boolean | undefined;
    let called = 0;
    const answer = await ask((_request, response) => {
      new Seen().by(response, async () => {
        response.end('another');
        response.writeHead(500);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return { headers: [['x-late', 'yes']] };
      });
      response.end('whole', () => called++);
      ended = response.writableEnded;
    });
    expect([answer.status, await answer.text(), answer.headers.get('x-late')]).toEqual([200, 'whole', 'yes']);
    expect([ended, called]).toEqual([true, 1]);
  });

  it('sends another status and body instead, without what told of the first', async () => {
    const answer = await ask((_request, response) => {
      new Seen().by(response, () =>
        Promise.resolve({
          headers: [['content-type', 'text/b']],
          instead: { status: 200, body: Buffer.from('stale'), without: ['retry-after'] },
        }),
      );
      response.writeHead(503, 'Broken', { 'content-type': 'text/a', 'content-encoding': 'x', 'retry-after': '1' });
      response.end('error');
    });
    expect([answer.status, answer.statusText, await answer.text()]).toEqual([200, 'OK', 'stale']);
    expect(['content-type', 'content-encoding', 'retry-after'].map((name) => answer.headers.get(name))).toEqual([
      'text/b',
      null,
      null,
    ]);
  });

  it('sends it as it is when it cannot be told what to send', async () => {
    const answer = await ask((_request, response) => {
      new Seen().by(response, () => Promise.reject(new Error('no')));
      response.end('whole');
    });
    expect(await answer.text()).toBe('whole');
  });

  it.each(['write', 'flushHeaders'] as const)('lets a stream pass as it comes: %s', async (first) => {
    const seen = new Seen();
    const answer = await ask((_request, response) => {
      seen.by(response);
      response.writeHead(201, { 'x-a': 'a' });
      response[first]('one ');
      response.write('two ');
      response.end('three');
    });
    expect([answer.status, answer.headers.get('x-a')]).toEqual([201, 'a']);
    expect(await answer.text()).toMatch(/two three$/);
    expect([seen.streamed, seen.whole]).toEqual([1, undefined]);
  });

  it('leaves the methods that others have wrapped as they were', async () => {
    const calls: string[] = [];
    const answer = await ask((_request, response) => {
      const before = response.end.bind(response) as (...last: unknown[]) => ServerResponse;
      const wrapped = (...last: unknown[]) => {
        calls.push('end');
        return before(...last);
      };
      response.end = wrapped as typeof response.end;
      new Seen().by(response);
      const captured = response.end.bind(response);
      captured('whole');
      response.on('finish', () =>
        calls.push(String(response.end === wrapped), String(Object.hasOwn(response, 'write'))),
      );
    });
    expect(await answer.text()).toBe('whole');
    expect(calls).toEqual(['end', 'true', 'false']);
  });
});
