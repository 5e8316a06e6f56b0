export { BookingsService } from './bookings.service.js';
export { bookingsMigrations } from './bookings.table.js';
