import fc from 'fast-check';
import { NotRespError, ReplyError, RespParser } from './resp-parser.js';

const STREAM = Buffer.from(
  '+PONG\r\n:42\r\n$-1\r\n$5\r\nh\r\nlo\r\n*3\r\n$2\r\né\r\n*0\r\n:-1\r\n-WRONGPASS no\r\n*-1\r\n',
);
const REPLIES = ['PONG', 42, null, 'h\r\nlo', ['é', [], -1], new ReplyError('WRONGPASS no'), null];

describe('RespParser', () => {
  it('gives the same replies however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
        const parser = new RespParser();
        const edges = [0, ...cuts.toSorted((a, b) => a - b), STREAM.length];
        const replies = edges.slice(1).flatMap((edge, i) => parser.feed(STREAM.subarray(edges[i], edge)));
        expect(replies).toEqual(REPLIES);
      }),
    );
  });

  it.each([
    'HTTP/1.1 400\r\n',
    'SSH-2.0\r\n',
    '\x15\x03\x01',
    '$x\r\n',
    '*1\r\n?\r\n',
    ':1.5\r\n',
    '*1\r\n'.repeat(20),
  ])('refuses %j', (text) => {
    expect(() => new RespParser().feed(Buffer.from(text))).toThrow(NotRespError);
  });

  it('refuses a reply without end', () => {
    const parser = new RespParser();
    expect(() => parser.feed(Buffer.alloc(1_100_000, '+'))).toThrow(NotRespError);
  });

  it.each([
    ['NOAUTH Authentication required.', 'NOAUTH'],
    ['MISCONF', 'MISCONF'],
    ["unknown command 'x'", 'ERR'],
  ])('reads the code of %j', (text, code) => {
    expect(new ReplyError(text).code).toBe(code);
  });
});
