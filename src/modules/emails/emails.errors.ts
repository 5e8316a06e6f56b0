import { RoostError } from '@roost/redis';

/** What nodemailer tells of a failure; its message may hold addresses and names of users. */
interface SmtpFailure {
  /** Its own word, or that of the system behind it. */
  readonly code?: string;
  readonly originalCode?: string;
  /** What was said to the server, and the number that it answered with. */
  readonly command?: string;
  readonly responseCode?: number;
}

/** Thrown when the mail server did not take an e-mail: its job is tried again. Names nobody, since logs repeat it. */
export class EmailUnsentError extends RoostError {
  static override readonly code: string = 'email.unsent';
  override readonly httpStatus: number = 503;

  /** @param cause as nodemailer threw it. */
  constructor(cause: unknown) {
    super(`The mail server (SMTP_URL) did not take an e-mail: ${summaryOf(cause as SmtpFailure)}.`, { cause });
  }
}

function summaryOf({ code, originalCode = code, command, responseCode }: SmtpFailure): string {
  const words = [originalCode ?? 'unknown', responseCode, command && `at ${command}`];
  return words.filter((word) => word !== undefined && word !== '').join(' ');
}
