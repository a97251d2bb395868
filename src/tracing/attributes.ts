/**
 * What spans say, in one table. Names are OpenTelemetry's where its semantic conventions have one.
 * @module
 */

export const ATTRIBUTES = {
  'server.address': 'host that is spoken to',
  'server.port': 'its TCP or UDP port',
  'error.type': 'of the table of failures; of the client, `refused`, `unreachable`, …',
  'process.executable.name': 'program on the host; of a script of ours, its name',
  'process.exit.code': 'left out when a signal ended it',
  'http.request.method': '`GET`, `PATCH`, …',
  'http.response.status_code': '',
  'url.path': 'of the Kubernetes API or a Redfish BMC, without the query',
  'temporal.workflow.id': '`provision/h100-01`',
  'temporal.run.id': '',
  'temporal.activity.attempt': 'from 1',
  'gpu_provision.server': 'name in the inventory',
  'gpu_provision.phase': '`gpu-isolation`; left out for activities that belong to no phase',
  'gpu_provision.step': 'name of the activity',
  'gpu_provision.unit': 'name of a transient systemd unit on the host',
  'gpu_provision.stdout.size': 'bytes that were kept',
  'gpu_provision.stderr.size': 'bytes that were kept',
} as const satisfies Readonly<Record<string, string>>;

export type AttributeName = keyof typeof ATTRIBUTES;
/** null and undefined are left out. */
export type SpanAttributes = Readonly<Partial<Record<AttributeName, string | number | null | undefined>>>;
