import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { ApiProblems } from '../../common/http/index.js';
import { bookingAnswer, bookingMade, bookingRequest, bookingsAnswer, bookingsRequest } from './bookings.schemas.js';
import type { Booking, BookingMade, BookingRequest, BookingsRequest } from './bookings.schemas.js';
import { BookingsService } from './bookings.service.js';

/** Booking a car. Two bookings of one car never share a day. */
@Controller('bookings')
export class BookingsController {
  constructor(private readonly bookings: BookingsService) {}

  @Post()
  @ApiCreatedResponse({ standardSchema: bookingMade, description: 'The car is booked' })
  @ApiProblems(409, 422, 503)
  book(@Body({ schema: bookingRequest }) request: BookingRequest): Promise<BookingMade> {
    return this.bookings.book(request);
  }

  @Get()
  @ApiOkResponse({ standardSchema: bookingsAnswer, description: 'The bookings of a car, in the order of their days' })
  @ApiProblems(404, 422, 503)
  async ofCar(@Query({ schema: bookingsRequest }) { carId }: BookingsRequest): Promise<{ data: Booking[] }> {
    return { data: await this.bookings.ofCar(carId) };
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: bookingAnswer, description: 'A booking' })
  @ApiProblems(404, 503)
  async find(@Param('id') id: string): Promise<{ data: Booking }> {
    return { data: await this.bookings.find(id) };
  }
}
