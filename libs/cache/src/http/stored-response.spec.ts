import { responseCodec, storedResponse } from './stored-response.js';

describe('a stored response', () => {
  const type = ['content-type', 'text/plain; charset=utf-8'] as const;
  const response = storedResponse(203, [type, ['x-name', 'é "quoted"']], Buffer.from([0, 255, 10, 13]));

  it('comes back as it was, byte for byte', () => {
    const bytes = responseCodec.encode(response);
    const back = responseCodec.decode(bytes);
    expect(back).toEqual(response);
    bytes.fill(1);
    expect(back.body).toEqual(response.body);
  });

  it('has a tag of its bytes, their type and their coding', () => {
    const tag = (headers: [string, string][], body = 'a') => storedResponse(200, headers, Buffer.from(body)).etag;
    expect(tag([['x-name', 'a']])).toBe(tag([]));
    expect(new Set([tag([]), tag([], 'b'), tag([[...type]]), tag([['content-encoding', 'br']])]).size).toBe(4);
  });

  it.each([
    Buffer.alloc(0),
    Buffer.from('{}'),
    Buffer.from([0, 0, 0, 2, 123, 125]),
    Buffer.from([255, 255, 255, 255, 1]),
  ])('41: bytes that are not its own throw', (bytes) => {
    expect(() => responseCodec.decode(bytes)).toThrow(/range|JSON|no stored response|bounds/);
  });

  it.each([
    [99_999, '"a"', []],
    [200, '"a\r\n"', []],
    [200, '"a"', [1]],
    [200, '"a"', [['x-name', 'a\r\nset-cookie: b']]],
    [200, '"a"', [['x name', 'a']]],
    [200, '"a"', [['x-name', 1]]],
  ])('41: what could not be sent is not read (%j, %j, %j)', (...head) => {
    const text = Buffer.from(JSON.stringify(head));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    expect(() => responseCodec.decode(Buffer.concat([length, text]))).toThrow('no stored response');
  });
});
