import { encodeCommand, ErrorReply, RespParser } from './resp.js';

const STREAM = '+OK\r\n:-3\r\n$4\r\n\r\nä\r\n$-1\r\n*-1\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n-ERR no\r\n';
const REPLIES = ['OK', -3, '\r\nä', null, null, [1, [''], new ErrorReply('ERR no')]];

describe('RespParser', () => {
  it('reads every kind of reply', () => {
    expect(new RespParser().feed(Buffer.from(STREAM))).toEqual(REPLIES);
  });

  it('reads the same wherever the stream is cut', () => {
    const parser = new RespParser();
    const bytes = Array.from(Buffer.from(STREAM), (byte) => Buffer.from([byte]));
    expect(bytes.flatMap((byte) => parser.feed(byte))).toEqual(REPLIES);
  });

  it('refuses what is not RESP2', () => {
    expect(() => new RespParser().feed(Buffer.from('HTTP/1.1 200 OK\r\n'))).toThrow(
      'Expected a RESP2 reply, got "HTTP',
    );
  });
});

describe('encodeCommand', () => {
  it('counts bytes, not characters', () => {
    expect(encodeCommand(['SET', 'ä', 1]).toString()).toBe('*3\r\n$3\r\nSET\r\n$2\r\nä\r\n$1\r\n1\r\n');
  });
});
