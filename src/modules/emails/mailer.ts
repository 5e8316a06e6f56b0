import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { createTransport, type Transporter } from 'nodemailer';
import { CONFIG, type Config } from '../../common/config/index.js';
import { EmailUnsentError } from './emails.errors.js';
import type { Written } from './emails.schemas.js';

/** What is written to somebody. */
export interface Email {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The same for each try: a mail server, or a reader, then knows a second copy as such. */
  readonly id: string;
}

const SMTP_WITHIN_MS = 10_000;

/** Writes e-mails, and sends them where there is a server to send them by. */
@Injectable()
export class Mailer implements OnApplicationShutdown {
  readonly #logger = new Logger('Mailer');
  readonly #transport: Transporter;
  readonly #domain: string;

  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'SMTP_URL' | 'MAIL_FROM'>) {
    const { SMTP_URL: url, MAIL_FROM } = config;
    const timeouts = {
      connectionTimeout: SMTP_WITHIN_MS,
      greetingTimeout: SMTP_WITHIN_MS,
      socketTimeout: SMTP_WITHIN_MS,
    };
    this.#transport = createTransport(url === undefined ? { jsonTransport: true } : { url, pool: true, ...timeouts });
    this.#domain = MAIL_FROM.slice(MAIL_FROM.indexOf('@') + 1);
  }

  /** @throws EmailUnsentError when the server does not take it. */
  async write({ id, ...email }: Email): Promise<Written> {
    const messageId = `<${id}@${this.#domain}>`;
    await this.#transport.sendMail({ ...email, from: this.config.MAIL_FROM, messageId }).catch((error: unknown) => {
      throw new EmailUnsentError(error);
    });
    const sent = this.config.SMTP_URL !== undefined;
    this.#logger.log(sent ? 'E-mail sent' : 'E-mail written', { event: 'email.written', messageId, sent });
    return { messageId };
  }

  onApplicationShutdown(): void {
    this.#transport.close();
  }
}
