import { hash } from 'node:crypto';

/**
 * The first 132 bits of a SHA-256 digest, as 22 characters of base64url. Whatever is secret or personal is digested before it becomes
 * part of a key or an argument, because tracing publishes both.
 */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

/**
 * Where a text stands among all texts: evenly spread over [0, 100), always the same for the same text (FNV-1a).
 * Ramps and canaries take everyone whose share is below their percentage, so growing one never moves anyone out.
 */
export function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // FNV alone spreads its low bits well and its high bits badly for short texts: finish with a murmur3 mix.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 42_949_672.96;
}
