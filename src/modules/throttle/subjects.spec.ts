import type { ExecutionContext } from '@nestjs/common';
import { claimedUser, tierOf } from './subjects.js';

function contextOf(request: object): ExecutionContext {
  return { switchToHttp: () => ({ getRequest: () => ({ headers: {}, ...request }) }) } as ExecutionContext;
}

describe('claimedUser', () => {
  it('is the user of the body, as the schema will read it', () => {
    expect(claimedUser(contextOf({ body: { userId: ' ann ' } }))).toBe('ann');
  });

  it.each([undefined, null, 'ann', {}, { userId: '' }, { userId: ' ' }, { userId: 7 }, { userId: ['ann'] }])(
    'is nobody in %j',
    (body) => expect(claimedUser(contextOf({ body }))).toBeUndefined(),
  );
});

describe('tierOf', () => {
  it.each([
    ['free-1', 'free'],
    ['starter-abc', 'starter'],
    ['pro-x', 'pro'],
    ['enterprise-acme', 'enterprise'],
    ['enterprise-', undefined],
    ['enterprise', undefined],
    ['xenterprise-1', undefined],
    ['ENTERPRISE-1', undefined],
    ['', undefined],
    [['pro-1', 'pro-2'], undefined],
    [undefined, undefined],
  ])('reads %j as %j', (key, tier) => expect(tierOf(contextOf({ headers: { 'x-api-key': key } }))).toBe(tier));
});
