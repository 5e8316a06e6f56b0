import { attachDecision, type Decision } from '../decision.js';
import { refusalOf, untraced } from '../throttle.errors.js';

/** What a client is told of a refusal where there are no status codes. */
interface RefusalPayload {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number | null;
  readonly violated: readonly string[];
}

type PayloadException = new (payload: object) => Error;

/** Makes the error that a transport understands of a refusal; `decisionOf` finds the decision on each of them. */
export class Refusals {
  readonly #loaded = new Map<string, PayloadException | undefined>();

  async of(type: string, decision: Decision): Promise<Error> {
    const error = await this.#of(type, decision);
    attachDecision(error, decision);
    return error;
  }

  async #of(type: string, decision: Decision): Promise<Error> {
    const error = refusalOf(decision);
    if (type === 'http') return error;
    const { retryAfterMs, violated } = decision;
    const { code } = error;
    // GraphQL servers send the `extensions` of an error to the client.
    if (type === 'graphql') return Object.assign(error, { extensions: { code, retryAfterMs, violated } });
    const Exception = await this.#exceptionOf(type);
    if (!Exception) return error;
    const payload: RefusalPayload = { status: 'error', code, message: error.message, retryAfterMs, violated };
    return untraced(() => new Exception(payload));
  }

  /** Loaded at the first refusal, because a service without such a transport does not have the package. */
  async #exceptionOf(type: string): Promise<PayloadException | undefined> {
    if (!this.#loaded.has(type)) this.#loaded.set(type, await load(type));
    return this.#loaded.get(type);
  }
}

async function load(type: string): Promise<PayloadException | undefined> {
  if (type === 'ws') return (await import('@nestjs/websockets')).WsException;
  if (type === 'rpc') return (await import('@nestjs/microservices')).RpcException;
  return undefined;
}
