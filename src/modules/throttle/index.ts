export { policies, throttleOptions, tiers } from './throttle.options.js';
