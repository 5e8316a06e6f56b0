/** Somebody with a browser, whose requests go to each instance in turn. */
export class Visitor {
  cookie: string | undefined;
  #turn = 0;

  constructor(private readonly origins: readonly string[]) {}

  get(path: string): Promise<object> {
    return this.#send('GET', path);
  }

  post(path: string): Promise<object> {
    return this.#send('POST', path);
  }

  delete(path: string): Promise<object> {
    return this.#send('DELETE', path);
  }

  async #send(method: string, path: string): Promise<object> {
    const origin = this.origins[this.#turn++ % this.origins.length]!;
    const headers = new Headers(this.cookie === undefined ? [] : [['cookie', this.cookie]]);
    const response = await fetch(`${origin}${path}`, { method, headers });
    const text = await response.text();
    const [set] = response.headers.getSetCookie();
    if (set !== undefined) this.cookie = set.split(';')[0];
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as object);
  }
}
