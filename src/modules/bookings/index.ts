export { bookingsMigrations } from './bookings.table.js';
