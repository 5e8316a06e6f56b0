export { serveQueueBoard } from './queue-board.js';
