/**
 * A kubeconfig's current context, as far as certificates and tokens go. The text holds credentials: it stays in this process.
 * @module
 */
import { parse } from 'yaml';
import { z } from 'zod';
import { ProvisionError } from '../../ports/failure.js';

export interface Kubeconfig {
  /** Host name or address that the API's certificate is for, and its port. */
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly clientCert: string | null;
  readonly clientKey: string | null;
  readonly token: string | null;
}

const NAMED = { name: z.string() };
const FILE = z.looseObject({
  'current-context': z.string(),
  contexts: z.array(z.looseObject({ ...NAMED, context: z.looseObject({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(
    z.looseObject({
      ...NAMED,
      cluster: z.looseObject({ server: z.url(), 'certificate-authority-data': z.base64() }),
    }),
  ),
  users: z.array(
    z.looseObject({
      ...NAMED,
      user: z.looseObject({
        'client-certificate-data': z.base64().optional(),
        'client-key-data': z.base64().optional(),
        token: z.string().optional(),
      }),
    }),
  ),
});

const HTTPS_PORT = 443;

const pem = (data: string | undefined): string | null =>
  data === undefined ? null : Buffer.from(data, 'base64').toString('utf8');

/** `source` names where the text came from, for messages; the text itself is never quoted. */
export function parseKubeconfig(text: string, source: string): Kubeconfig {
  const file = FILE.safeParse(yamlOrNull(text));
  if (!file.success) throw unusable(source, z.prettifyError(file.error));
  const { contexts, clusters, users } = file.data;
  const context = contexts.find((entry) => entry.name === file.data['current-context'])?.context;
  const cluster = clusters.find((entry) => entry.name === context?.cluster)?.cluster;
  const user = users.find((entry) => entry.name === context?.user)?.user;
  if (cluster === undefined || user === undefined) throw unusable(source, 'its current context names nothing');
  const server = new URL(cluster.server);
  return {
    host: server.hostname.replace(/^\[|\]$/g, ''),
    port: server.port === '' ? HTTPS_PORT : Number(server.port),
    ca: pem(cluster['certificate-authority-data']) ?? '',
    clientCert: pem(user['client-certificate-data']),
    clientKey: pem(user['client-key-data']),
    token: user.token ?? null,
  };
}

function yamlOrNull(text: string): unknown {
  try {
    return parse(text);
  } catch {
    // The parser quotes the text in its message.
    return null;
  }
}

// k3s writes the file while it starts, so an unfinished one is worth another look.
const unusable = (source: string, why: string): ProvisionError =>
  new ProvisionError('ClusterUnreachable', `the kubeconfig in ${source} cannot be used: ${why}`);
