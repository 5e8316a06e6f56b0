import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { lastValueFrom, NEVER, of, throwError } from 'rxjs';
import { EventEmitter } from 'node:events';
import type { Decision } from '../decision.js';
import type { HeldCharge } from '../switching/held-charge.js';
import type { HeldCharges } from '../switching/held-charges.js';
import type { LimitOptions, Outcome } from '../throttle.options.js';
import { settlementInterceptor } from './settlement.interceptor.js';
import { Settlements } from './settlements.js';

/** What Node's response is here: events, and how far it has come. */
class Response extends EventEmitter {
  statusCode = 200;
  destroyed = false;
  writableFinished = false;
}

function setUp(count: LimitOptions['count'] = 'failure') {
  const decision = { allowed: true } as Decision;
  const charge = { limit: { count }, settlement: { held: 3 } } as unknown as HeldCharge;
  const costs: number[] = [];
  const held = {
    of: (asked: Decision) => (asked === decision ? [charge] : undefined),
    keep: jest.fn(),
    settle: (charges: readonly HeldCharge[], costOf: (charge: HeldCharge) => number) => {
      costs.push(...charges.map(costOf));
      return Promise.resolve(charges.length);
    },
  };
  const settlements = new Settlements(held as unknown as HeldCharges);
  const args: unknown[] = ['the arguments of one call'];
  const context = (type: string) => ({ getType: () => type, getArgs: () => args }) as unknown as ExecutionContext;
  const handle = (result: CallHandler['handle']) => settlementInterceptor.intercept(context('ws'), { handle: result });
  return { decision, costs, held, settlements, context, handle };
}

describe('Settlements', () => {
  it('leaves alone what holds nothing', () => {
    const { settlements, context, costs } = setUp();
    const response = new Response();
    settlements.track({ allowed: true } as Decision, context('http'), response);
    expect([response.eventNames(), costs]).toEqual([[], []]);
  });

  it('settles once: a finished answer also closes', () => {
    const { settlements, context, costs, decision } = setUp();
    const response = new Response();
    settlements.track(decision, context('http'), response);
    response.emit('finish');
    response.statusCode = 500;
    response.emit('close');
    expect(costs).toEqual([0]);
  });

  it('takes the response of Fastify', () => {
    const { settlements, context, costs, decision } = setUp();
    const raw = new Response();
    settlements.track(decision, context('http'), { raw });
    raw.emit('close');
    expect(costs).toEqual([3]);
  });

  it.each([
    ['destroyed', { destroyed: true }, [3]],
    ['closed', { closed: true }, [3]],
    ['destroyed over HTTP/2', { stream: { destroyed: true } }, [3]],
    ['finished', { writableFinished: true }, [0]],
  ])('85: settles at once when the response is %s already', (_what, state, settled) => {
    const { settlements, context, costs, decision } = setUp();
    const response = Object.assign(new Response(), state);
    settlements.track(decision, context('http'), response);
    expect(costs).toEqual(settled);
    response.emit('close');
    expect(costs).toEqual(settled);
  });

  it('listens once for all decisions of a response', () => {
    const { settlements, context, costs, decision } = setUp();
    const response = new Response();
    for (let i = 0; i < 20; i++) settlements.track(decision, context('graphql'), response);
    expect([response.listenerCount('finish'), response.listenerCount('close')]).toEqual([1, 1]);
    response.emit('finish');
    expect(costs).toHaveLength(20);
    settlements.track(decision, context('graphql'), response);
    expect(costs).toHaveLength(21);
  });

  it('tells a function the status, and none of a client that went away', () => {
    const seen: Outcome[] = [];
    const { settlements, context, costs, decision } = setUp((outcome) => seen.push(outcome) > 1);
    for (const event of ['finish', 'close']) {
      const response = new Response();
      settlements.track(decision, context('http'), response);
      response.emit(event);
    }
    expect(seen).toEqual([
      { status: 200, failed: false },
      { status: undefined, failed: true },
    ]);
    expect(costs).toEqual([0, 3]);
  });

  describe('without a response', () => {
    it.each([
      ['returns', () => of(1), 0],
      ['throws', () => throwError(() => new Error('no')), 3],
    ])('settles when the handler %s, and keeps slots while it runs', async (_how, result, cost) => {
      const { settlements, context, costs, held, decision, handle } = setUp();
      settlements.track(decision, context('ws'), undefined);
      expect(held.keep).not.toHaveBeenCalled(); // another guard may still refuse
      const handled = handle(result);
      await lastValueFrom(await handled).catch(() => undefined);
      expect(held.keep).toHaveBeenCalledTimes(1);
      expect(costs).toEqual([cost]);
    });

    it('settles when nobody waits for the handler any more', async () => {
      const { settlements, context, costs, decision, handle } = setUp();
      settlements.track(decision, context('rpc'), { not: 'a response' });
      (await handle(() => NEVER)).subscribe().unsubscribe();
      expect(costs).toEqual([3]);
    });

    it('leaves other calls alone', async () => {
      const { costs, handle } = setUp();
      expect(await lastValueFrom(await handle(() => of('result')))).toBe('result');
      expect(costs).toEqual([]);
    });
  });

  it('a resolver that throws has failed, whatever the status of the answer', async () => {
    const { settlements, context, costs, decision, handle } = setUp();
    const response = new Response();
    settlements.track(decision, context('graphql'), response);
    await lastValueFrom(await handle(() => throwError(() => new Error('no')))).catch(() => undefined);
    expect(costs).toEqual([]);
    response.emit('finish');
    expect(costs).toEqual([3]);
  });
});
