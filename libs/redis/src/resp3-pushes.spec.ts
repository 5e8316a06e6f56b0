import { Resp3Pushes, type RespValue } from './resp3-pushes.js';

/** Every type of RESP 2 and 3 that may come between pushes. */
const REPLIES = [
  '+OK\r\n',
  '-ERR no\r\n',
  ':-1\r\n',
  '$5\r\na\r\nbc\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '_\r\n',
  '#t\r\n',
  ',3.14\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '=7\r\ntxt:a\r\n\r\n',
  '!8\r\nERR \r\n>2\r\n',
  '%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n$1\r\nb\r\n_\r\n',
  '~2\r\n+a\r\n+b\r\n',
  '|1\r\n+ttl\r\n:3\r\n+with attributes\r\n',
  '*2\r\n|1\r\n+ttl\r\n:3\r\n+a\r\n*1\r\n*0\r\n',
].join('');
const NAMES = ['p:a,b', 'p: \r\n>2\r\n', 'p:🦜%'];
const invalidate = `>2\r\n$10\r\ninvalidate\r\n*3\r\n${NAMES.map((name) => `$${Buffer.byteLength(name)}\r\n${name}\r\n`).join('')}`;
const FLUSH = '>2\r\n$10\r\ninvalidate\r\n_\r\n';
const STREAM = Buffer.from(
  `${REPLIES}${invalidate}${REPLIES}${FLUSH}|1\r\n+a\r\n+b\r\n${FLUSH}>1\r\n+pong\r\n${REPLIES}`,
);
const EXPECTED = [['invalidate', NAMES], ['invalidate', null], ['invalidate', null], ['pong']];

function text(value: RespValue): unknown {
  return Array.isArray(value) ? value.map(text) : (value?.toString() ?? null);
}

function pushesIn(chunks: Iterable<Buffer>): unknown[] {
  const heard: unknown[] = [];
  const pushes = new Resp3Pushes((push) => heard.push(push.map(text)));
  for (const chunk of chunks) pushes.write(chunk);
  return heard;
}

describe('Resp3Pushes', () => {
  it('finds pushes among replies of every type', () => {
    expect(pushesIn([STREAM])).toEqual(EXPECTED);
  });

  it('finds them byte by byte', () => {
    expect(pushesIn(Array.from(STREAM, (byte) => Buffer.from([byte])))).toEqual(EXPECTED);
  });

  it('finds them wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      expect(pushesIn([STREAM.subarray(0, cut), STREAM.subarray(cut)])).toEqual(EXPECTED);
    }
  });

  it('gives up on what is no RESP', () => {
    for (const garbage of ['HTTP/1.1 400 Bad Request\r\n', '$x\r\n', '*\r\n', '>$\r\n']) {
      expect(() => pushesIn([Buffer.from(garbage)])).toThrow('Protocol error');
    }
  });
});
