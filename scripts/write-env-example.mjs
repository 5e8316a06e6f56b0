/** Writes `.env.example` from the config schema; run by `npm run env:example` after a build. */
import { writeFileSync } from 'node:fs';
import { envExample } from '../dist/common/config/index.js';

writeFileSync(new URL('../.env.example', import.meta.url), envExample());
