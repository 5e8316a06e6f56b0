import type { LookupAddress } from 'node:dns';
import type { Socket } from 'node:net';
import type { Outcome } from './finding.js';
import { isLoopback } from '../address.js';
import { dial, shakeHands } from './dial.js';
import type { RedisTarget } from './redis-target.js';
import { RespConnection } from './resp-connection.js';

export interface VisitOptions {
  readonly url: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** The longest that one step may take. */
  readonly deadlineMs: number;
  /** PEM certificates of authorities to trust besides Node's own. */
  readonly ca?: string;
}

/** A step of the examination; null when it does not apply. */
export type Step = (visit: Visit) => Promise<Outcome | null>;

/** What the steps hand on to one another: each fills in what later ones rely on. */
export class Visit {
  target: RedisTarget;
  addresses: readonly LookupAddress[];
  socket: Socket | undefined;
  redis: RespConnection;
  /** Whether the server refused a PING without AUTH. */
  asksForPassword = false;
  /** The fields of INFO; null when it was refused. */
  info: ReadonlyMap<string, string> | null = null;

  constructor(readonly options: VisitOptions) {}

  get onThisMachine(): boolean {
    return this.addresses.every(({ address }) => isLoopback(address));
  }

  /** Whether the port answers to plain RESP on a fresh connection. Sends no credentials. */
  async speaksPlain(): Promise<boolean> {
    const socket = await this.#freshSocket();
    if (!socket) return false;
    const redis = new RespConnection(socket, this.#probeMs);
    const answered = await redis.call('PING').then(
      () => true,
      () => false,
    );
    redis.close();
    return answered;
  }

  /** Whether the port completes a TLS handshake on a fresh connection. Sends no credentials. */
  async speaksTls(): Promise<boolean> {
    const socket = await this.#freshSocket();
    if (!socket) return false;
    const shaken = await shakeHands(socket, this.target, { checked: false, deadlineMs: this.#probeMs }).then(
      () => true,
      () => false,
    );
    socket.destroy();
    return shaken;
  }

  close(): void {
    this.socket?.destroy();
  }

  get #probeMs(): number {
    return Math.min(this.options.deadlineMs, 1_000);
  }

  #freshSocket(): Promise<Socket | null> {
    return dial(this.target, this.addresses, this.#probeMs).catch(() => null);
  }
}
