/** Where the commands speak: the only place of the CLI that knows standard output. */
export interface Terminal {
  /** Whether a person is watching: marks may be Unicode and progress may overwrite itself. */
  readonly isTTY: boolean;
  /** Prints one line of the result. */
  line(text?: string): void;
  /** Prints one line that is not part of the result: usage mistakes, unexpected failures. */
  error(text: string): void;
  /** Says how far the work is. A person sees one line that changes, a log gets a line each time. */
  progress(text: string): void;
}

/** The terminal of a process. */
export function terminalOf(output: NodeJS.WriteStream, errors: NodeJS.WriteStream): Terminal {
  const isTTY = output.isTTY === true;
  const clear = isTTY ? '\r\x1b[K' : '';
  let overwriting = false;
  const fresh = () => {
    const lead = overwriting ? clear : '';
    overwriting = false;
    return lead;
  };
  return {
    isTTY,
    line: (text = '') => void output.write(`${fresh()}${printable(text)}\n`),
    error: (text) => void errors.write(`${fresh()}${text.split('\n').map(printable).join('\n')}\n`),
    progress(text) {
      output.write(isTTY ? `${clear}${printable(text)}` : `${printable(text)}\n`);
      overwriting = isTTY;
    },
  };
}

/** Servers speak through us: what they send must not move the cursor or forge a line. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}
