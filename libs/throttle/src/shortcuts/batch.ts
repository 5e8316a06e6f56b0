import type { Commands, Key } from '@roost/redis';
import type { LimitRequest, StoreVerdict } from '../stores/rate-limit.store.js';
import { NOT_PLAIN, type ConsumeScripts } from './consume.lua.js';
import { Shape } from './shape.js';

/** The same decision, so many times. */
export class Demand {
  /** How many of them were admitted, the first ones; `NOT_PLAIN` when the script left them alone. */
  admitted = 0;
  nowUs = 0;
  #used: number[] = [];

  constructor(
    readonly limits: readonly LimitRequest[],
    readonly shape: Shape,
    public times: number,
  ) {}

  get answered(): boolean {
    return this.admitted !== NOT_PLAIN;
  }

  sameKeys(limits: readonly LimitRequest[]): boolean {
    for (let i = 1; i < limits.length; i++) if (limits[i]!.key.name !== this.limits[i]!.key.name) return false;
    return true;
  }

  /** Takes what the script for each said of it. */
  answerEach(nowUs: number, said: number | null): void {
    this.nowUs = nowUs;
    if (said === null) this.admitted = NOT_PLAIN;
    else {
      this.admitted = said < 0 ? 0 : 1;
      this.#used = [said < 0 ? -1 - said : said];
    }
  }

  /** Takes its part of the reply, which begins at an index; returns where the next one begins. */
  answer(reply: readonly number[], at: number): number {
    this.nowUs = reply[0]!;
    this.admitted = reply[at]!;
    const end = at + 1 + this.limits.length;
    this.#used = reply.slice(at + 1, end);
    return end;
  }

  /** What the first limit has used with all that was admitted. */
  get usedAfter(): number {
    return this.#used[0]! + this.shape.taken(0, this.admitted);
  }

  /** The verdict about the one that came as the `index`th, from 0. */
  verdict(index: number): StoreVerdict {
    const { admitted, shape, nowUs } = this;
    const before = Math.min(index, admitted);
    const used = before === 0 ? this.#used : this.#used.map((each, i) => each + shape.taken(i, before));
    return shape.verdict(used, index < admitted, nowUs);
  }
}

/** Demands that leave in one call. */
export class Batch {
  readonly #demands: Demand[] = [];
  readonly #latest = new Map<string, Demand>();
  readonly #shapes: Shape[] = [];
  #keys = 0;

  /** How many keys it has. */
  get size(): number {
    return this.#keys;
  }

  /** Adds decisions: to the latest demand about the first key, when that is the same demand. */
  add(limits: readonly LimitRequest[], times: number): Demand {
    const { name } = limits[0]!.key;
    const latest = this.#latest.get(name);
    if (latest !== undefined && latest.shape.is(limits) && latest.sameKeys(limits)) {
      latest.times += times;
      return latest;
    }
    const demand = new Demand(limits, this.#shapeOf(limits), times);
    this.#demands.push(demand);
    this.#latest.set(name, demand);
    this.#keys += limits.length;
    return demand;
  }

  /** Asks Redis, and tells each demand its answer. */
  send(commands: Commands, scripts: ConsumeScripts): Promise<void> {
    return this.#isOfEach() ? this.#sendEach(commands, scripts) : this.#sendMany(commands, scripts);
  }

  /** Whether it is one decision about each of many different keys, all by one quota of gcra. */
  #isOfEach(): boolean {
    if (this.#shapes.length > 1 || !this.#shapes[0]!.isOneGcra || this.#latest.size < this.#demands.length)
      return false;
    for (const { times } of this.#demands) if (times > 1) return false;
    return true;
  }

  async #sendEach(commands: Commands, { each }: ConsumeScripts): Promise<void> {
    const limits = this.#demands.map((demand) => demand.limits[0]!.key);
    const [, , need, capacity] = this.#shapes[0]!.numbers;
    const reply = await commands.run(each, { limits }, { need: need!, capacity: capacity! });
    const nowUs = reply[0]!;
    for (let i = 0; i < limits.length; i++) this.#demands[i]!.answerEach(nowUs, reply[i + 1]!);
  }

  async #sendMany(commands: Commands, { many }: ConsumeScripts): Promise<void> {
    const keys: Key[] = [];
    const demands: number[] = [this.#shapes.length];
    for (const { numbers } of this.#shapes) for (const number of numbers) demands.push(number);
    let [shape, alike, times] = [0, 0, 0];
    for (const demand of this.#demands) {
      for (const { key } of demand.limits) keys.push(key);
      if (demand.shape.index === shape && demand.times === times) {
        alike++;
        continue;
      }
      if (alike > 0) demands.push(shape, alike, times);
      shape = demand.shape.index;
      times = demand.times;
      alike = 1;
    }
    demands.push(shape, alike, times);
    const reply = await commands.run(many, { limits: keys }, { demands });
    let at = 1;
    for (const demand of this.#demands) at = demand.answer(reply, at);
  }

  #shapeOf(limits: readonly LimitRequest[]): Shape {
    const shapes = this.#shapes;
    for (let i = shapes.length; i-- > 0;) if (shapes[i]!.is(limits)) return shapes[i]!;
    const shape = new Shape(limits);
    shape.index = shapes.push(shape);
    return shape;
  }
}
