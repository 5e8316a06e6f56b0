import { terminalOf } from './terminal.js';

function open(isTTY: boolean) {
  const written = { out: '', err: '' };
  const stream = (to: 'out' | 'err') =>
    ({ isTTY, write: (text: string) => ((written[to] += text), true) }) as unknown as NodeJS.WriteStream;
  return { terminal: terminalOf(stream('out'), stream('err')), written };
}

describe('terminalOf', () => {
  it('overwrites progress for a person', () => {
    const { terminal, written } = open(true);
    terminal.progress('1 s');
    terminal.progress('2 s');
    terminal.line('done');
    terminal.line('more');
    expect(written.out).toBe('\r\x1b[K1 s\r\x1b[K2 s\r\x1b[Kdone\nmore\n');
  });

  it('writes progress line by line into a log', () => {
    const { terminal, written } = open(false);
    terminal.progress('1 s');
    terminal.line();
    terminal.error('two\nlines');
    expect(written).toEqual({ out: '1 s\n\n', err: 'two\nlines\n' });
  });

  it('lets nobody move the cursor or forge a line', () => {
    const { terminal, written } = open(true);
    terminal.line('a\x1b[2J\nok\x9b');
    expect(written.out).toBe('a?[2J?ok?\n');
  });
});
