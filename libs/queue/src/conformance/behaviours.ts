import { adding } from './adding.behaviours.js';
import type { Behaviour } from './bench.js';
import { deduplication } from './deduplication.behaviours.js';
import { ending } from './ending.behaviours.js';
import { events } from './events.behaviours.js';
import { flows } from './flows.behaviours.js';
import { maintenance } from './maintenance.behaviours.js';
import { running } from './running.behaviours.js';
import { schedulers } from './schedulers.behaviours.js';

/** What all backends have to do alike, by name. */
export const behaviours: Readonly<Record<string, Behaviour>> = {
  ...adding,
  ...running,
  ...ending,
  ...events,
  ...deduplication,
  ...flows,
  ...schedulers,
  ...maintenance,
};
