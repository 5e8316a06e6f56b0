import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthRegistry, Metrics, RedisModule } from '@roost/redis';
import { OPEN_GATEWAY } from './gateway/gateway.testbed.js';
import { PresenceGateway } from './gateway/presence.gateway.js';
import { PresenceConfig } from './presence.config.js';
import { PresenceModule } from './presence.module.js';
import type { PresenceOptions } from './presence.options.js';
import { PresenceService } from './presence.service.js';
import { quietLogger } from './presence.testbed.js';

describe('PresenceModule', () => {
  it('names every wrong option at once', () => {
    const options = {
      goneAfter: 'soon',
      lease: 5,
      replay: 0,
      backend: 'disk',
      graces: 1,
      gateway: { authenticate: true, maxRooms: -1, origins: ['example.org'], rooms: [], ping: '0s' },
    } as unknown as PresenceOptions;
    let message = '';
    try {
      new PresenceConfig(options);
    } catch (error) {
      message = (error as Error).message;
    }
    const names = ['goneAfter', 'lease', 'replay', 'backend', 'graces'];
    const gateway = ['authenticate', 'authorize', 'maxRooms', 'origins', 'rooms', 'ping'].map(
      (name) => `gateway.${name}`,
    );
    for (const name of [...names, ...gateway]) expect(message).toContain(`\`${name}\``);
    expect(message.trim().split('\n')).toHaveLength(1 + names.length + gateway.length);
  });

  it.each([
    ['`goneAfter`', { goneAfter: 1 }],
    ['`gateway.ping`', { gateway: { ...OPEN_GATEWAY, ping: '60d' } }],
    ['`gateway.stuckBytes`', { gateway: { ...OPEN_GATEWAY, stuckBytes: 1_000 } }],
    ['`gateway.authenticate`', { gateway: null }],
  ])('refuses a %s that cannot be meant', (name, options) => {
    expect(() => new PresenceConfig(options as unknown as PresenceOptions)).toThrow(name);
  });

  it('has the defaults that it says', () => {
    const config = new PresenceConfig({ goneAfter: '10s', gateway: OPEN_GATEWAY });
    expect(config).toMatchObject({ goneAfterMs: 10_000, leaseMs: 10_000, typingMs: 3_000, replay: 100 });
    expect(config.gateway).toMatchObject({ pingMs: 10_000 / 3, maxRooms: 50, maxTextLength: 4_000 });
  });

  it('does not start with a gateway that nobody was told who may use', async () => {
    @Module({ imports: [RedisModule.forRoot({}), PresenceModule.forRoot()], providers: [PresenceGateway] })
    class App {}
    const started = NestFactory.createApplicationContext(App, { logger: quietLogger(), abortOnError: false });
    await expect(started).rejects.toThrow(/without them nobody may connect/);
  });

  it('is set up asynchronously, shows itself in health and metrics, and works without Redis', async () => {
    @Module({
      imports: [
        RedisModule.forRoot({}),
        PresenceModule.forRootAsync({ useFactory: () => ({ goneAfter: '1s' as const }) }),
      ],
    })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: quietLogger(), abortOnError: false });
    const presence = app.get(PresenceService);
    await presence.join('lobby', { userId: 'ann' });
    expect(app.get(HealthRegistry).reports()['presence']).toEqual({
      status: 'up',
      backend: 'memory',
      partial: false,
      devices: 2,
      watched: 0,
    });
    const metrics = await app.get(Metrics).registry.metrics();
    expect(metrics).toContain('roost_presence_devices 2');
    expect(metrics).not.toMatch(/lobby|ann/);
    await app.close();
  });
});
