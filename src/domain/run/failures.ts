/**
 * The closed set of failures that activities may report. The key is the `type` of Temporal's ApplicationFailure.
 * What is not in this table is a bug of ours: it fails the workflow task, waits for a fixed worker and compensates nothing.
 * @module
 */

export interface FailureKind {
  /** Whether another attempt of the same activity can help without anybody doing anything. */
  readonly retryable: boolean;
  /** What it means for the operator, and what to do. */
  readonly advice: string;
}

export const FAILURES = {
  HostUnreachable: { retryable: true, advice: 'no SSH connection: check network, power and sshd of the host' },
  HostBooting: { retryable: true, advice: 'the host answers but does not accept logins yet: it is still booting' },
  BastionUnreachable: {
    retryable: true,
    advice:
      'no SSH connection to the bastion: check its network and sshd. Nothing is known about the host behind it meanwhile',
  },
  BastionRefused: {
    retryable: false,
    advice:
      'the bastion shows another host key than the pinned one, or refuses the login or the way to the host; the message says which',
  },
  LinkLost: { retryable: true, advice: 'the SSH connection broke while a command ran; it is read back, not repeated' },
  WorkerStopped: {
    retryable: true,
    advice: 'the worker was stopped; what it had begun on the host goes on, and the next worker takes it up',
  },
  CommandTimeout: { retryable: true, advice: 'a command on the host took longer than its limit' },
  HostKeyUnknown: {
    retryable: false,
    advice: 'the host key is not in known_hosts: check its fingerprint at the console, then add it',
  },
  HostKeyChanged: {
    retryable: false,
    advice: 'the host shows another key than the pinned one: rescue system, reinstallation or another machine',
  },
  AuthenticationFailed: { retryable: false, advice: 'the host refuses user or key: check ssh.user and ssh.key' },
  ForwardingRefused: {
    retryable: false,
    advice: 'sshd allows this user no connections through it: set AllowTcpForwarding and PermitOpen there',
  },
  SudoRefused: { retryable: false, advice: 'sudo asks for a password: install the sudo rule from the docs' },
  SecretUnreadable: { retryable: false, advice: 'a secret reference cannot be read by the worker' },
  CommandFailed: { retryable: false, advice: 'a command on the host failed; its output is in the message' },
  OutputUnexpected: {
    retryable: false,
    advice: 'the host printed something that cannot be understood; nothing is assumed',
  },
  StepNotVerified: { retryable: false, advice: 'a change was made, but reading it back does not show it' },
  Fenced: { retryable: false, advice: 'another run or the compensation of this run owns the host now' },
  HostLocked: { retryable: false, advice: 'another run holds this host: finish or resume that run first' },
  NotBackYet: { retryable: true, advice: 'the host has not come back from its reboot yet' },
  NotReadyYet: { retryable: true, advice: 'the cluster is still working on it; the message says on what' },
  Drifted: { retryable: false, advice: 'what was approved is not what is there any more: the approval is void' },
  BootFailed: { retryable: false, advice: 'the reboot did not end in the trial boot' },
  IsolationNotVerified: { retryable: false, advice: 'not all GPUs are on vfio-pci; see the truth table' },
  RestoreNotVerified: { retryable: false, advice: 'the host is not proven to be as before' },
  Blocked: { retryable: false, advice: 'preflight found something that must be solved first' },
  BmcUnavailable: { retryable: true, advice: 'the BMC does not answer or refuses the credentials' },
  ClusterUnreachable: { retryable: true, advice: 'the Kubernetes API of the host does not answer' },
  ClusterRefused: {
    retryable: false,
    advice:
      'the Kubernetes API answers and forbids it: credentials, a role, a quota or a policy; the message says which',
  },
  ClusterConflict: {
    retryable: false,
    advice: 'something in the cluster belongs to somebody else or has another version',
  },
  DiskNotEmpty: { retryable: false, advice: 'a disk meant for storage is in use or not empty; it was left alone' },
  WebhookUnreachable: { retryable: true, advice: 'a receiver of notify does not answer; the run goes on without it' },
  WebhookRefused: {
    retryable: false,
    advice: 'a receiver of notify refuses what it is sent: check its URL; the run goes on without it',
  },
  AuditUnwritable: {
    retryable: true,
    advice: 'the audit record cannot be written: make room, or let the worker write there; the run goes on meanwhile',
  },
  AcceptanceFailed: { retryable: false, advice: 'the GPU job failed or its figures are below the minimum' },
  Rejected: { retryable: false, advice: 'a person rejected the question' },
  Expired: { retryable: false, advice: 'nobody decided in time' },
  GivenUp: { retryable: false, advice: 'a person gave a parked phase up' },
} as const satisfies Record<string, FailureKind>;

export type FailureType = keyof typeof FAILURES;

export function isFailureType(type: string): type is FailureType {
  return Object.hasOwn(FAILURES, type);
}
