import type { ServiceProcess } from '@roost/testing';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './load.js';
import type { Random } from './random.js';

export const CARS = 12;
const CITIES = ['Lisbon', 'Vienna', 'Oslo'];

/** What people look at: the n-th most popular page 1/n as often as the first. The cities come first, then the cars. */
const PAGES: readonly string[] = [
  '/catalogue/cars',
  ...CITIES.map((city) => `/catalogue/cars?city=${city}`),
  ...Array.from({ length: CARS }, (_, i) => `/catalogue/cars/car-${i + 1}`),
];
const WEIGHTS = PAGES.map((_, i) => 1 / (i + 1));
const TOTAL = WEIGHTS.reduce((sum, weight) => sum + weight, 0);

/** The page for a number from 0 to 1. */
function pageOf(share: number): string {
  let left = share * TOTAL;
  return PAGES.find((_, i) => (left -= WEIGHTS[i]!) < 0) ?? PAGES[0]!;
}

export interface VisitorsOptions {
  readonly visitors: number;
  /** How many pages they look at, all together. */
  readonly requests: number;
  /** How long each rests before a page. @default 0 */
  readonly pauseMs?: number;
}

/** An answer, and for a page whether it came from the cache. */
export interface CatalogueAnswer extends Answer {
  readonly path: string;
  readonly cached: boolean;
}

/** Visitors who look at one page after the other, at random, until enough was looked at by all. */
export class Visitors {
  readonly answers: CatalogueAnswer[] = [];
  readonly done: Promise<unknown>;
  readonly #startedAt = performance.now();
  #left: number;

  constructor(
    private readonly services: readonly ServiceProcess[],
    private readonly random: Random,
    { visitors, requests, pauseMs = 0 }: VisitorsOptions,
  ) {
    this.#left = requests;
    this.done = Promise.all(Array.from({ length: visitors }, () => this.#visit(pauseMs)));
  }

  async #visit(pauseMs: number): Promise<void> {
    while (this.#left-- > 0) {
      if (pauseMs > 0) await delay(pauseMs);
      this.answers.push(await this.#look(this.random.pick(this.services), pageOf(this.random.next())));
    }
  }

  async #look(service: ServiceProcess, path: string): Promise<CatalogueAnswer> {
    const start = performance.now();
    const at = start - this.#startedAt;
    const response = await service.fetch(path);
    const cached = response.headers.get('cache-status')?.includes('; hit') ?? false;
    await response.arrayBuffer();
    return { status: response.status, ms: performance.now() - start, at, path, cached };
  }
}

/** How many statements have read cars, by the metric of each process. */
export async function originReads(services: readonly ServiceProcess[]): Promise<number> {
  const pages = await Promise.all(services.map(async (service) => (await service.fetch('/metrics')).text()));
  return pages.reduce((sum, page) => sum + Number(/^catalogue_origin_reads_total (\d+)$/m.exec(page)![1]), 0);
}
