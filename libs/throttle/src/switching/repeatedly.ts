/** Passes on what happens at most once per pause, with how often it was kept quiet in between. */
export function repeatedly<T>(
  pauseMs: number,
  tell: (what: T, suppressed: number) => void,
  now: () => number = () => performance.now(),
): (what: T) => void {
  let toldAt = -Infinity;
  let suppressed = 0;
  return (what) => {
    if (now() - toldAt < pauseMs) {
      suppressed++;
      return;
    }
    tell(what, suppressed);
    toldAt = now();
    suppressed = 0;
  };
}
