import type { ServiceProcess } from '@roost/testing';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface Answer {
  readonly status: number;
  readonly ms: number;
  /** When it was sent, in ms since the load began. */
  readonly at: number;
}

/** Requests at a steady rate, sent whether or not earlier ones were answered. */
export class Load {
  readonly answers: Answer[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #pending = new Set<Promise<void>>();
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  /** `key` names the API key of the n-th request. */
  constructor(
    private readonly services: readonly ServiceProcess[],
    perSecond: number,
    private readonly key: (n: number) => string = (n) => `pro-${n % 50}`,
  ) {
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - this.#startedAt) * perSecond) / 1_000);
      while (this.#sent < due) this.#send(this.#sent++);
    }, 5);
  }

  /** Waits while the load goes on, then takes the answers to what was sent since the last call. */
  async during(ms: number): Promise<Answer[]> {
    const from = performance.now() - this.#startedAt;
    await delay(ms);
    const until = performance.now() - this.#startedAt;
    await Promise.all(this.#pending);
    return this.answers.filter(({ at }) => at >= from && at < until);
  }

  async stop(): Promise<Answer[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#agent.destroy();
    return this.answers;
  }

  #send(n: number): void {
    const sent = ask(this.services[n % this.services.length]!, this.key(n), this.#agent).then(({ status, ms }) => {
      this.answers.push({ status, ms, at: performance.now() - ms - this.#startedAt });
    });
    this.#pending.add(sent);
    void sent.finally(() => this.#pending.delete(sent));
  }
}

/** One quote asked for; status 0 when there was no answer. */
export function ask(service: ServiceProcess, apiKey: string, agent?: Agent): Promise<{ status: number; ms: number }> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const answer = (status: number) => resolve({ status, ms: performance.now() - startedAt });
    const sent = request(
      `${service.url}/api/quotes?carId=car-1`,
      { headers: { 'x-api-key': apiKey }, agent },
      (response) => {
        response.resume();
        response.on('end', () => answer(response.statusCode ?? 0));
      },
    );
    sent.on('error', () => answer(0));
    sent.end();
  });
}

/** Asks many times, a bounded number at once, and counts the answers by status. */
export async function count(
  services: readonly ServiceProcess[],
  requests: number,
  key: (n: number) => string,
  atOnce = 32,
): Promise<Record<number, number>> {
  const byStatus: Record<number, number> = {};
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  let next = 0;
  const worker = async () => {
    while (next < requests) {
      const n = next++;
      const { status } = await ask(services[n % services.length]!, key(n), agent);
      byStatus[status] = (byStatus[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  agent.destroy();
  return byStatus;
}

export const slowest = (answers: readonly Answer[]): number => Math.max(0, ...answers.map(({ ms }) => ms));

/** The ms within which this share of the answers came. */
export function quantile(answers: readonly Answer[], share: number): number {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export const statuses = (answers: readonly Answer[]): number[] => [...new Set(answers.map(({ status }) => status))];
