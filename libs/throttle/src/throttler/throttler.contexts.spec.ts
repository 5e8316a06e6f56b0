import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import * as constants from '@nestjs/throttler/dist/throttler.constants.js';
import { takesHeaders, throttledRequestOf } from './throttler.contexts.js';
import { THROTTLER_METADATA } from './throttler.metadata.js';

function contextOf(type: string, ...args: unknown[]) {
  const context = new ExecutionContextHost(args, class {} as never, () => undefined);
  context.setType(type);
  return context;
}

describe('the metadata keys', () => {
  it('are those of @nestjs/throttler, every one', () => {
    expect(Object.values(THROTTLER_METADATA).sort()).toEqual(Object.values({ ...constants }).sort());
    expect(THROTTLER_METADATA).toEqual({
      limit: constants.THROTTLER_LIMIT,
      ttl: constants.THROTTLER_TTL,
      blockDuration: constants.THROTTLER_BLOCK_DURATION,
      tracker: constants.THROTTLER_TRACKER,
      keyGenerator: constants.THROTTLER_KEY_GENERATOR,
      skip: constants.THROTTLER_SKIP,
      options: constants.THROTTLER_OPTIONS,
    });
  });
});

describe('throttledRequestOf', () => {
  it('is request and response of HTTP as they are', () => {
    const [req, res] = [{ ip: '203.0.113.7' }, {}];
    const found = throttledRequestOf(contextOf('http', req, res));
    expect([found.req === req, found.res === res]).toEqual([true, true]);
  });

  it.each([
    ['Apollo on Express', { req: { ip: '203.0.113.7', headers: {} }, res: { setHeader: () => 0 } }, true],
    ['Apollo with req alone', { req: { ip: '203.0.113.7', headers: {}, res: { header: () => 0 } } }, true],
    ['Mercurius', { reply: { header: () => 0, request: { ip: '203.0.113.7', headers: {} } } }, true],
    ['a subscription', { req: { ip: '203.0.113.7' } }, false],
  ])('79: finds the request behind GraphQL: %s', (_name, context, answers) => {
    const { req, res } = throttledRequestOf(contextOf('graphql', {}, {}, context, {}));
    expect([req['ip'], req['headers'], res !== undefined]).toEqual(['203.0.113.7', {}, answers]);
  });

  it.each([
    [
      'Socket.IO',
      { id: 'x', handshake: { address: '203.0.113.7', headers: { 'user-agent': 'bot' } } },
      { 'user-agent': 'bot' },
    ],
    ['ws', { id: 'x', _socket: { remoteAddress: '203.0.113.7' } }, {}],
  ])('79: reads a WebSocket like a request: %s', (_name, client, headers) => {
    const { req, res } = throttledRequestOf(contextOf('ws', client, { ip: '198.51.100.1' }));
    expect([req['ip'], req['headers'], req['id'], res]).toEqual(['203.0.113.7', headers, 'x', undefined]);
  });

  it('79: takes no address out of a message', () => {
    const { req, res } = throttledRequestOf(
      contextOf('rpc', { ip: '198.51.100.1', headers: {} }, { getPattern: () => 'p' }),
    );
    expect([req['ip'], req['headers'], res]).toEqual([undefined, {}, undefined]);
    const tcp = { getSocketRef: () => ({ netSocket: { remoteAddress: '203.0.113.7' } }) };
    expect(throttledRequestOf(contextOf('rpc', {}, tcp)).req['ip']).toBe('203.0.113.7');
  });

  it('79: is at no loss for anything', () => {
    for (const type of ['graphql', 'ws', 'rpc', 'cron']) {
      for (const args of [[], [undefined, undefined, undefined], ['text', 1, null]]) {
        expect(throttledRequestOf(contextOf(type, ...args))).toMatchObject({ req: { headers: {} } });
      }
    }
  });
});

describe('takesHeaders', () => {
  it.each([
    [undefined, false],
    [null, false],
    [{ headersSent: true }, false],
    [{ sent: true }, false],
    [{ raw: { headersSent: true } }, false],
    [{ raw: { headersSent: false }, sent: false }, true],
  ])('79: %j: %s', (res, expected) => expect(takesHeaders(res as never)).toBe(expected));
});
