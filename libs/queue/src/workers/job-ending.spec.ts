import { BadRequestException } from '@nestjs/common';
import { UnrecoverableError, WaitingError } from 'bullmq';
import { reasonOf, resultOf } from './job-ending.js';

describe('the reason of a failure', () => {
  it('is the error itself when every store can keep it', () => {
    for (const error of [new RangeError('too far'), new WaitingError(), new UnrecoverableError('never')]) {
      expect(reasonOf(error)).toBe(error);
    }
  });

  it('is one that says the same when not: of the same name, with the places of the stack', () => {
    const error = new UnrecoverableError('no'.repeat(50_000));
    const { name, message, stack, cause } = reasonOf(error);
    expect([name, message.length, cause]).toEqual(['UnrecoverableError', 10_001, error]);
    expect(stack).toContain('job-ending.spec');
    expect(stack!.length).toBeLessThan(20_010);
  });

  it('has a text, whatever the message is', () => {
    const error = Object.defineProperties(new Error(), {
      stack: { value: 'Error' },
      message: { value: Symbol('odd') },
    });
    expect(reasonOf(error).message).toBe('`Symbol(odd)` (symbol)');
    expect(reasonOf(null).message).toBe('thrown: `null` (null)');
  });

  it('is final when what a pipe refuses cannot be stored either', () => {
    expect(reasonOf(new BadRequestException('a\u0000'))).toMatchObject({
      name: 'UnrecoverableError',
      message: 'a\uFFFD',
    });
  });
});

it('is what a pipe has found, and not that it has found something', () => {
  const refused = new BadRequestException(['name must be a string', 'age must be a number']);
  expect(reasonOf(refused)).toMatchObject({
    name: 'UnrecoverableError',
    message: 'name must be a string; age must be a number',
  });
});

describe('a result', () => {
  it('is what it was: what JSON leaves out is no mistake', () => {
    for (const result of [undefined, null, 0, '', new Date(), { a: undefined, b: () => 1, c: new Map() }]) {
      expect(resultOf(result)).toBe(result);
    }
  });
});
