/**
 * Which host key the server should show: a server has several and shows the first type that the client asks for.
 * @module
 */
import type { ServerHostKeyAlgorithm } from 'ssh2';
import type { Pins } from './known-hosts.js';

/** Signature algorithms for each key type, the strongest first. SHA-1 (`ssh-rsa` as a signature) is left out. */
const ALGORITHMS_OF_TYPE = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
} as const satisfies Record<string, readonly ServerHostKeyAlgorithm[]>;

/**
 * Pinned types first, so that a host with several keys shows one that can be checked. The others follow: a host that has none of
 * the pinned types then still shows a key, whose fingerprint the error can name.
 */
export function hostKeyAlgorithms(pins: Pins): ServerHostKeyAlgorithm[] {
  const pinned = new Set(pins.keys.filter((pin) => !pin.revoked).map((pin) => pin.type));
  return Object.entries(ALGORITHMS_OF_TYPE)
    .toSorted(([a], [b]) => Number(pinned.has(b)) - Number(pinned.has(a)))
    .flatMap(([, algorithms]) => algorithms);
}
