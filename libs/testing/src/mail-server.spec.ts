import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';
import { MailServer } from './mail-server.js';

describe('MailServer', () => {
  let mail: MailServer;
  let client: Socket;
  let heard = '';
  afterEach(() => mail.stop());

  async function start(answerAfterMs?: () => number): Promise<void> {
    mail = await MailServer.start({ answerAfterMs });
    heard = '';
    client = connect(Number(new URL(mail.url).port), '127.0.0.1').setEncoding('utf8');
    client.on('data', (text) => (heard += String(text)));
    await answers('220 ready');
  }

  const say = (...lines: string[]) => client.write(lines.map((line) => `${line}\r\n`).join(''));
  const answers = (...lines: string[]) =>
    eventually(() => expect(heard.split('\r\n').slice(-1 - lines.length, -1)).toEqual(lines), { within: 2_000 });

  it('keeps a mail as it was sent, of commands in one piece and a mail in several', async () => {
    await start();
    say('EHLO me', 'MAIL FROM:<a@here.example>', 'RCPT TO:<b@there.example>', 'DATA');
    await answers('250 ok', '250 ok', '250 ok', '354 go on');
    client.write('Subject: é\r\nMessage-ID:\r\n <one@here');
    await answers('250 ok', '250 ok', '250 ok', '354 go on');
    say('.example>', '', '..a dot', 'QUIT no command here', '.', 'QUIT');
    await answers('250 taken', '221 bye');
    await eventually(() => client.closed, { within: 2_000 });
    const text = 'Subject: é\r\nMessage-ID:\r\n <one@here.example>\r\n\r\n.a dot\r\nQUIT no command here';
    expect(mail.mails).toEqual([{ id: 'one@here.example', from: 'a@here.example', text, at: expect.any(Number) }]);
    expect(Date.now() - mail.mails[0]!.at).toBeLessThan(2_000);
  });

  it('refuses recipients for as long as it is told to', async () => {
    await start();
    mail.refuses = true;
    say('MAIL FROM:<a@here.example>', 'RCPT TO:<b@there.example>', 'STARTTLS');
    await answers('250 ok', '451 not now, RCPT TO:<b@there.example>', '502 no');
    mail.refuses = false;
    say('RCPT TO:<b@there.example>');
    await answers('502 no', '250 ok');
    expect(mail.mails).toEqual([]);
  });

  it('has a mail before it says so, and breaks connections when it stops', async () => {
    await start(() => 60_000);
    say('DATA', '.');
    await eventually(() => mail.mails.length === 1, { within: 2_000 });
    await answers('354 go on');
    const closed = once(client, 'close');
    await mail.stop();
    await closed;
    expect(heard).not.toContain('250 taken');
    await mail.stop();
  });
});
