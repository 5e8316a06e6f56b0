export { presenceOptions } from './chat.presence.js';
