/** A path that no route has. */
const NOWHERE = '/%25';

/**
 * The URL, or one that leads nowhere when its path cannot be decoded: Fastify would answer such a request itself, past
 * filters and logs, where it now is a 404 like any other.
 */
export function decodableUrl(url: string): string {
  if (!url.includes('%')) return url;
  try {
    decodeURIComponent(url.split('?', 1)[0]!);
    return url;
  } catch {
    return NOWHERE; // that it throws is the answer
  }
}
