import { Controller, Get, Header, Res } from '@nestjs/common';
import { Lifecycle } from './lifecycle.js';
import { ReadinessService, type Readiness } from './readiness.js';

/** The part of a response that Express and Fastify share. */
interface Response {
  status(code: number): unknown;
}

/** The probes of an orchestrator. They answer by reading memory: a probe that asks Redis would restart a healthy fleet. */
@Controller()
export class ProbesController {
  constructor(
    private readonly readiness: ReadinessService,
    private readonly lifecycle: Lifecycle,
  ) {}

  /** Whether the process answers at all; when not, restart it. */
  @Get('livez')
  @Header('Cache-Control', 'no-store')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** Whether to send requests here: 200 `ok` or `degraded`, 503 `error` or `shutting_down`. */
  @Get('readyz')
  @Header('Cache-Control', 'no-store')
  async ready(@Res({ passthrough: true }) response: Response): Promise<Readiness> {
    const readiness = await this.readiness.read();
    if (readiness.status === 'error' || readiness.status === 'shutting_down') response.status(503);
    return readiness;
  }

  /** Whether the start is over, so that the other probes count: 200 then, 503 before. */
  @Get('startupz')
  @Header('Cache-Control', 'no-store')
  startup(@Res({ passthrough: true }) response: Response): { status: 'ok' | 'starting' } {
    if (this.lifecycle.started) return { status: 'ok' };
    response.status(503);
    return { status: 'starting' };
  }
}
