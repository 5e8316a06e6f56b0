import { record } from './recording.js';

describe('roost', () => {
  it('shows its commands and exits 0', async () => {
    const { code, all } = await record(['--help']);
    expect(code).toBe(0);
    for (const command of ['doctor', 'loadtest', 'keys']) expect(all).toContain(command);
  });

  it.each([
    ['an unknown option', ['doctor', '--urll=redis://user:S3CRET@host']],
    ['an unknown command', ['redis://:S3 CRET@host']],
    ['an argument too many', ['doctor', 'redis://:S3CRET@host']],
    ['a wrong duration', ['doctor', '--timeout', 'redis://:S3CRET@host']],
    ['a wrong count', ['keys', '--count', 'redis://:S3CRET@host']],
    ['no command', []],
  ])('exits 1 for %s, on stderr, without credentials', async (_what, args) => {
    const { code, errors, lines, all } = await record(args);
    expect(code).toBe(1);
    expect(errors).not.toEqual([]);
    expect(lines).toEqual([]);
    expect(all).not.toContain('CRET');
  });

  it('names every wrong option of the doctor at once', async () => {
    const { errors } = await record(['doctor', '--timeout', 'soon', '--ca', '/nowhere.pem']);
    expect(errors.join()).toMatch(/--timeout`.*"soon"[^]*--ca`.*ENOENT/);
  });
});
