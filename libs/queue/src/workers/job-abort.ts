/** Aborts a job. Its signal is made when somebody asks for it: Node takes longer to make one than all else of a job takes here. */
export class JobAbort {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** Why it was aborted; undefined while it is not. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
