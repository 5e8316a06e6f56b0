import Fastify from 'fastify';
import { once } from 'node:events';
import { connect } from 'node:net';
import { answerClientError } from './client-error.js';

describe('answerClientError', () => {
  it.each([
    ['what is not HTTP', 'HELLO\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(40_000)}\r\n\r\n`, 431],
  ])('answers %s with a problem', async (_, sent, status) => {
    const server = Fastify({ clientErrorHandler: answerClientError });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.server.address() as { port: number };
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    let answer = '';
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.write(sent);
    await once(socket, 'close');
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*application/problem\\+json`));
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ status, errorCode: `http.${status}` });
    await server.close();
  });
});
