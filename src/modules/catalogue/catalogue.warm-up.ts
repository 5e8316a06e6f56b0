import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { CONFIG, type Config } from '../../common/config/index.js';
import { CatalogueService } from './catalogue.service.js';

const WITHIN_MS = 30_000;

/** Loads what everybody asks for when the service starts. Nobody waits for it, and what fails is loaded when it is asked for. */
@Injectable()
export class CatalogueWarmUp implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Catalogue');
  readonly #stopped = new AbortController();

  constructor(
    private readonly catalogue: CatalogueService,
    @Inject(CONFIG) private readonly config: Pick<Config, 'CATALOGUE_WARM_UP' | 'NODE_ENV'>,
  ) {}

  onApplicationBootstrap(): void {
    const { CATALOGUE_WARM_UP: asked, NODE_ENV } = this.config;
    if (asked ?? NODE_ENV !== 'test') void this.#warm();
  }

  beforeApplicationShutdown(): void {
    this.#stopped.abort();
  }

  async #warm(): Promise<void> {
    const startedAt = performance.now();
    try {
      const report = await this.catalogue.warm(AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(WITHIN_MS)]));
      if (this.#stopped.signal.aborted) return;
      const fields = { event: 'catalogue.warm', ...report, duration_ms: Math.round(performance.now() - startedAt) };
      if (report.failed > 0)
        this.logger.warn('The catalogue is not warm: what is missing is loaded when asked for', fields);
      else this.logger.log('The catalogue is warm', fields);
    } catch (error) {
      this.logger.error(error);
    }
  }
}
