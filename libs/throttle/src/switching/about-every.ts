/**
 * Calls about every `pauseMs`, until the returned function is called; never keeps the process alive. Processes that were
 * started together drift apart, so that they do not all ask at the same moment.
 */
export function aboutEvery(pauseMs: number, call: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(
      () => {
        wait();
        call();
      },
      pauseMs * (0.8 + 0.4 * Math.random()),
    ).unref();
  };
  wait();
  return () => clearTimeout(timer);
}
