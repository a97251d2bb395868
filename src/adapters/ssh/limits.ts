/**
 * How patient the SSH adapter is, in one place.
 * @module
 */
export interface SshLimits {
  /** From the first packet to a login. sshd answers within a second; PAM and reverse DNS of a booting host take longer. */
  readonly connectTimeoutMs: number;
  /** A silent link is asked for a sign of life this often … */
  readonly keepaliveIntervalMs: number;
  /** … and given up after this many unanswered questions: 20 s, so that a reboot is noticed before a person would. */
  readonly keepaliveMisses: number;
  /** Commands at once over one connection. OpenSSH refuses more than 10 (MaxSessions). */
  readonly sessionsPerConnection: number;
  /** A command that prints more, whatever is kept of it, is given up: to read on for ever would take the worker from the other hosts. */
  readonly printedBytes: number;
}

export const SSH_LIMITS: SshLimits = {
  connectTimeoutMs: 20_000,
  keepaliveIntervalMs: 5_000,
  keepaliveMisses: 3,
  sessionsPerConnection: 8,
  printedBytes: 16 * 1024 * 1024,
};

/** Of each output stream, unless the caller says otherwise. */
export const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;
