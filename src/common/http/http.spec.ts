import type { ExecutionContext } from '@nestjs/common';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { requestIdOf } from './request-id.js';
import { requestSchemaPipe } from './request-schema.pipe.js';

function requestWith(headers: Record<string, unknown>): ExecutionContext {
  return { switchToHttp: () => ({ getRequest: () => ({ headers }) }) } as ExecutionContext;
}

describe('AdminGuard', () => {
  const token = 'correct-horse-battery';

  it('lets through the token and nothing else', () => {
    const guard = new AdminGuard({ ROOST_ADMIN_TOKEN: token });
    expect(guard.canActivate(requestWith({ 'x-admin-token': token }))).toBe(true);
    for (const sent of ['', 'wrong', `${token} `, token.slice(1), [token], undefined]) {
      expect(() => guard.canActivate(requestWith({ 'x-admin-token': sent }))).toThrow('x-admin-token');
    }
  });

  it('is closed to everyone without a configured token', () => {
    const guard = new AdminGuard({ ROOST_ADMIN_TOKEN: undefined });
    for (const sent of [undefined, '', 'undefined', token]) {
      expect(() => guard.canActivate(requestWith({ 'x-admin-token': sent }))).toThrow('closed');
    }
  });
});

describe('requestIdOf', () => {
  it('honours a sane id', () => {
    expect(requestIdOf({ headers: { 'x-request-id': '0af7651916cd43dd-1' } })).toBe('0af7651916cd43dd-1');
  });

  it.each(['', 'a b', '"}{"', 'x'.repeat(129), 'a\nb', '-starts-with-a-dash', ['a', 'b'], undefined])(
    'makes one instead of %j',
    (sent) => {
      expect(requestIdOf({ headers: { 'x-request-id': sent } as never })).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('requestSchemaPipe', () => {
  const schema = z.object({ user: z.object({ id: z.string().trim().min(1) }) });
  const pipe = requestSchemaPipe();

  it('hands on what the schema made of the value', async () => {
    await expect(pipe.transform({ user: { id: ' ann ' } }, { type: 'body', schema })).resolves.toEqual({
      user: { id: 'ann' },
    });
  });

  it('names the field of each issue', async () => {
    await expect(pipe.transform({ user: {} }, { type: 'body', schema })).rejects.toMatchObject({
      code: 'request.invalid',
      issues: [{ path: 'user.id', message: expect.any(String) }],
    });
    await expect(pipe.transform(undefined, { type: 'body', schema })).rejects.toMatchObject({ issues: [{ path: '' }] });
  });

  it('leaves alone what declares no schema', async () => {
    await expect(pipe.transform('x', { type: 'param' })).resolves.toBe('x');
  });
});
