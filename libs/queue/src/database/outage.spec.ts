import { OutageError, outageOf, postgresFault } from './outage.js';

const coded = (code: string) => Object.assign(new Error('no'), { code });

describe('what an error tells of Postgres', () => {
  it.each([
    ['it shuts down', coded('57P01'), '57P01'],
    ['it is read-only', coded('25006'), '25006'],
    ['a connection that broke', new Error('Connection terminated unexpectedly'), 'connection_lost'],
    ['no answer in time', new Error('Query read timeout'), 'timeout'],
  ])('is that everybody is concerned: %s', (_, error, reason) => {
    expect(postgresFault(error)).toEqual({ reason, lost: true, ofNetwork: false });
  });

  it.each([
    ['no connection left', coded('53300'), '53300'],
    ['nor in the pool', new Error('timeout exceeded when trying to connect'), 'busy'],
    ['a deadlock', coded('40P01'), '40P01'],
    ['a statement that took too long', coded('57014'), '57014'],
    ['somebody else has the row', coded('55P03'), '55P03'],
  ])('is that who asked now may ask again: %s', (_, error, reason) => {
    expect(postgresFault(error)).toEqual({ reason, lost: false, ofNetwork: false });
    expect(outageOf(error)).toBe(reason);
  });

  it('is that the network failed, which could be any', () => {
    expect(postgresFault(coded('ECONNREFUSED'))).toEqual({ reason: 'ECONNREFUSED', lost: true, ofNetwork: true });
  });

  it.each([['42P01'], ['22P05'], ['23505'], ['55000'], ['57'], [undefined]])('is that it was a mistake: %s', (code) => {
    expect([postgresFault(coded(code!)), outageOf(coded(code!))]).toEqual([undefined, undefined]);
  });

  it('is said by what has judged it before', () => {
    expect(outageOf(new OutageError('timeout', true))).toBe('timeout');
    expect(outageOf(undefined)).toBeUndefined();
  });
});
