import { Module } from '@nestjs/common';
import { ChatController } from './chat.controller.js';
import { ChatGateway } from './chat.gateway.js';

/** Rooms in which people see each other come, type, talk and go. */
@Module({ controllers: [ChatController], providers: [ChatGateway] })
export class ChatModule {}
