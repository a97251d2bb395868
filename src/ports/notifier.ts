import type { Announcement } from '../domain/run/announcement.js';
import type { NotifySpec } from '../domain/spec.js';

export interface Notifier {
  /** Throws ProvisionError WebhookUnreachable (retry), WebhookRefused or SecretUnreadable. Its texts never hold the URL. */
  send(receiver: NotifySpec, announcement: Announcement, signal: AbortSignal): Promise<void>;
}
