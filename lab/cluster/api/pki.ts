/**
 * A cluster's certificate authority, server certificate and administrator, kept over restarts as k3s keeps them on disk, so that a
 * kubeconfig read before a reboot is still good after it.
 * @module
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Pki {
  readonly ca: string;
  readonly caKey: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

const EC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

const ipAddress = /^[0-9.]+$/;

/** The one that is kept in the folder, or a new one that is kept there from then on. */
export async function keptPki(folder: string, names: readonly string[]): Promise<Pki> {
  const path = join(folder, 'pki.json');
  const kept = await readFile(path, 'utf8').catch(() => null);
  // Only this function writes it.
  if (kept !== null) return JSON.parse(kept) as Pki;
  const made = await createPki(names);
  await mkdir(folder, { recursive: true });
  await writeFile(path, JSON.stringify(made), { mode: 0o600 });
  return made;
}

/** `names` are the addresses and DNS names that clients verify. */
export async function createPki(names: readonly string[]): Promise<Pki> {
  const authority = await generate([{ name: 'commonName', value: 'k3s-server-ca' }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, critical: true },
    ],
  });
  const ca = { key: authority.private, cert: authority.cert };
  const server = await generate([{ name: 'commonName', value: 'k3s' }], {
    ...EC,
    ca,
    extensions: [
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) => (ipAddress.test(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  });
  const kept = { ca: authority.cert, caKey: authority.private };
  return {
    ...kept,
    serverCert: server.cert,
    serverKey: server.private,
    ...(await issueClient(kept)),
  };
}

/** The administrator's certificate, good for a year when `dates` says nothing else. */
export async function issueClient(
  { ca, caKey }: Pick<Pki, 'ca' | 'caKey'>,
  dates: { notBeforeDate?: Date; notAfterDate?: Date } = {},
): Promise<Pick<Pki, 'clientCert' | 'clientKey'>> {
  const client = await generate([{ name: 'commonName', value: 'system:admin' }], {
    ...EC,
    ...dates,
    ca: { key: caKey, cert: ca },
    extensions: [
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', clientAuth: true },
    ],
  });
  return { clientCert: client.cert, clientKey: client.private };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** As k3s writes it. */
export function kubeconfigFor(pki: Pki, server: string): string {
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${base64(pki.ca)}
    server: ${server}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: ${base64(pki.clientCert)}
    client-key-data: ${base64(pki.clientKey)}
`;
}
