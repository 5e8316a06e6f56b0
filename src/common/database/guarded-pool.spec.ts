import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Availability } from './availability.js';
import { GuardedPool } from './guarded-pool.js';
import { outageOf } from './outages.js';

/** A message of Postgres: its type, its length, its body. */
function message(type: string, body: Buffer | string): Buffer {
  const content = Buffer.from(body);
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(type), length, content]);
}

const AUTHENTICATED = message('R', Buffer.alloc(4));
const READY = message('Z', 'I');
const SELECTED = message('C', 'SELECT 0\0');
const SHUT_DOWN = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0');

/** A Postgres that is shut down right behind an answer: as under load, both are read at once. */
async function shutDownBehind(answer: (socket: Socket, statements: number) => Buffer[]): Promise<Server> {
  const server = createServer((socket) => {
    let messages = 0;
    socket.on('error', () => {});
    socket.on('data', () => socket.write(Buffer.concat(answer(socket, messages++))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('GuardedPool', () => {
  let server: Server;
  let pool: GuardedPool;
  let availability: Availability;

  async function open(answer: (socket: Socket, statements: number) => Buffer[]): Promise<void> {
    server = await shutDownBehind(answer);
    availability = new Availability(() => Promise.reject(new Error('not asked here')));
    pool = new GuardedPool(`postgres://u@127.0.0.1:${(server.address() as AddressInfo).port}/d`, availability);
  }
  afterEach(async () => {
    availability.stop();
    await pool.end();
    server.close();
  });

  it('survives a server that is shut down right behind its greeting', async () => {
    await open(() => [AUTHENTICATED, READY, SHUT_DOWN]);
    const error: unknown = await pool.query('SELECT 1').catch((reason: unknown) => reason);
    expect(outageOf(error)).toMatchObject({ code: 'database.unavailable', lost: true });
    expect(availability.reason).toBe('57P01');
  });

  it('survives a server that is shut down right behind its answer, while others wait for the connection', async () => {
    await open((_, statements) => {
      if (statements === 0) return [AUTHENTICATED, READY];
      return statements === 1 ? [SELECTED, SELECTED, READY] : [SELECTED, READY, SHUT_DOWN];
    });
    const answers = await Promise.allSettled(Array.from({ length: 40 }, () => pool.query('SELECT 1')));
    const served = answers.filter(({ status }) => status === 'fulfilled');
    expect(served.length).toBeGreaterThan(0);
    expect(served.length).toBeLessThan(40);
    expect(availability.reason).toBe('57P01');
  });
});
