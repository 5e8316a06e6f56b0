import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { chatPage } from './chat.page.js';

/** A page to try presence with: open it in two browsers. */
@ApiExcludeController()
@Controller('chat')
export class ChatController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Cache-Control', 'no-store')
  page(): string {
    return chatPage;
  }
}
