/**
 * An S3 server of our own: moto, which plays AWS. Beyond the requests that set it up it checks every signature with AWS's own library.
 * @module
 */
import { join } from 'node:path';
import { announcedUrl } from './announced-url.js';
import { startChild } from './child.js';
import { sourceFolder } from './kept-folder.js';
import { pythonWith } from './python.js';
import type { Workshop } from './workshop.js';

export interface S3Server {
  readonly url: string;
  /** As AWS's tools take them from the environment. */
  readonly credentials: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string };
  stop(): Promise<void>;
}

/** A server with one bucket and one user who may do everything. */
export async function startS3(bucket: string, workshop: Workshop): Promise<S3Server> {
  const requirements = join(sourceFolder(import.meta.url), 'moto', 'requirements.txt');
  const python = await pythonWith({ name: 'moto', requirements }, workshop);
  // -I: nothing of the user's Python reaches it.
  const server = startChild([python, '-I', '-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    env: { INITIAL_NO_AUTH_ACTION_COUNT: String(SET_UP.length + 1) },
  });
  try {
    const url = await announcedUrl('moto', server);
    await succeeded(fetch(`${url}/${bucket}`, { method: 'PUT', headers: asService('s3') }));
    let answer = '';
    for (const words of SET_UP) {
      const body = new URLSearchParams({ ...words, UserName: USER, Version: '2010-05-08' });
      answer = await succeeded(fetch(url, { method: 'POST', body, headers: asService('iam') }));
    }
    const found = (name: string): string => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1] ?? '';
    const credentials = {
      AWS_ACCESS_KEY_ID: found('AccessKeyId'),
      AWS_SECRET_ACCESS_KEY: found('SecretAccessKey').replaceAll('&amp;', '&'),
    };
    return { url, credentials, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const USER = 'worker';
const MAY_DO_EVERYTHING = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
/** Requests that come before signatures are checked. The last one answers with the key. */
const SET_UP = [
  { Action: 'CreateUser' },
  { Action: 'PutUserPolicy', PolicyName: 'all', PolicyDocument: JSON.stringify(MAY_DO_EVERYTHING) },
  { Action: 'CreateAccessKey' },
];

/** By the name in its signature moto tells which service is asked. */
function asService(service: string): Record<string, string> {
  const scope = `nobody/20260101/us-east-1/${service}/aws4_request`;
  return { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0` };
}

async function succeeded(request: Promise<Response>): Promise<string> {
  const answer = await request;
  const text = await answer.text();
  if (!answer.ok) throw new Error(`moto: ${answer.status} ${text.slice(0, 500)}`);
  return text;
}
