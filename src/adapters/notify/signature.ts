/**
 * Proof of who sent a webhook and when: `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY`. The time is signed, so that a call that was
 * recorded cannot be played again later.
 * @module
 */
import { createHmac } from 'node:crypto';

export const SIGNATURE_HEADER = 'x-gpu-provision-signature';

export function signature(secret: string, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
