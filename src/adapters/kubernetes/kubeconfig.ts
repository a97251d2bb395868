/**
 * A kubeconfig as the library reads it, once it is known to hold nothing but data. The text holds credentials: it stays in this process.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';
import { nestsDeep } from '../../domain/cluster/objects.js';
import { ProvisionError } from '../../ports/failure.js';

export interface Kubeconfig {
  readonly config: KubeConfig;
  /** Host name or address of the API, and its port. */
  readonly host: string;
  readonly port: number;
  /** Where the text came from, for messages. */
  readonly source: string;
  /** When its client certificate is over; null when it has none that can be read. */
  readonly certificateEndsAt: Date | null;
}

/**
 * The text comes from another machine. The library would run its `exec` commands and read its files (`token-file`, `client-key`) here,
 * on the machine of the worker, hand the result to the server it names, and connect past the host with `proxy-url`.
 */
const onlyData = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `${issue.keys.join(', ')} cannot be used: of another machine's kubeconfig only certificates, keys and tokens in the text are`
        : undefined,
  });

const NAMED = { name: z.string() };
const FILE = z.looseObject({
  'current-context': z.string(),
  contexts: z.array(z.looseObject({ ...NAMED, context: z.looseObject({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(
    z.looseObject({
      ...NAMED,
      cluster: onlyData({
        server: z.url({ protocol: /^https$/ }),
        'certificate-authority-data': z.base64().min(1),
        'tls-server-name': z.string().optional(),
      }),
    }),
  ),
  users: z.array(
    z.looseObject({
      ...NAMED,
      user: onlyData({
        'client-certificate-data': z.base64().optional(),
        'client-key-data': z.base64().optional(),
        token: z.string().optional(),
      }),
    }),
  ),
});

const HTTPS_PORT = 443;
/** k3s writes 3,000. The time the parser needs grows with the square of the number of keys. */
const SIZE_LIMIT = 65_536;

/** `source` names where the text came from, for messages; the text itself is never quoted. Throws ClusterUnreachable. */
export function loadKubeconfig(text: string, source: string): Kubeconfig {
  if (text.length > SIZE_LIMIT)
    throw unusable(source, `it has ${text.length} characters, at most ${SIZE_LIMIT} are read`);
  if (nestsDeep(text)) throw unusable(source, 'it nests too deep to be read');
  const file = FILE.safeParse(yamlOrNull(text));
  if (!file.success) throw unusable(source, z.prettifyError(file.error));
  const config = new KubeConfig();
  // Not the text: another parser could read it differently from what was checked.
  config.loadFromString(JSON.stringify(file.data));
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (cluster === null || user === null)
    throw unusable(source, 'its current context names no cluster and user that it has');
  const server = new URL(cluster.server);
  return {
    config,
    host: server.hostname.replace(/^\[|\]$/g, ''),
    port: server.port === '' ? HTTPS_PORT : Number(server.port),
    source,
    certificateEndsAt: endOf(user.certData),
  };
}

function endOf(certificate: string | undefined): Date | null {
  try {
    return certificate === undefined ? null : new Date(new X509Certificate(Buffer.from(certificate, 'base64')).validTo);
  } catch {
    // What is no certificate, the API refuses.
    return null;
  }
}

function yamlOrNull(text: string): unknown {
  try {
    // By way of JSON: an alias may lead back to what it is in. Warnings quote the text, and Node would print them.
    return JSON.parse(JSON.stringify(parse(text, { logLevel: 'error' })));
  } catch {
    // The parser quotes the text in its message.
    return null;
  }
}

// k3s writes the file while it starts, so an unfinished one is worth another look.
const unusable = (source: string, why: string): ProvisionError =>
  new ProvisionError('ClusterUnreachable', `the kubeconfig in ${source} cannot be used: ${why}`);
