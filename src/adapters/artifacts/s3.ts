/**
 * Artifacts in an S3 bucket, of Amazon or of anything that speaks its protocol. Settings are AWS's own environment variables.
 * @module
 */
import { AwsClient } from 'aws4fetch';
import { inSpan } from '../../tracing/span.js';
import { BadStore, type Environment } from './bad-store.js';
import type { Shelf } from './store.js';

/** For one request with its retries; evidence is not worth a longer wait. */
const LIMIT_MS = 30_000;
/** After a 5xx, a 429 or a broken connection. */
const RETRIES = 3;
/** What S3 itself takes where nothing is said, and what most others ignore. */
const DEFAULT_REGION = 'us-east-1';

export interface S3Place {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
}

export interface S3Options {
  readonly env: Environment;
  /** Called with each credential before it is used. */
  readonly remember: (secret: string) => void;
}

export function s3Shelf({ bucket, prefix }: S3Place, { env, remember }: S3Options): Shelf {
  const url = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const need = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') throw new BadStore(`${url} needs the environment variable ${name}`);
    return value;
  };
  const accessKeyId = need('AWS_ACCESS_KEY_ID');
  const secretAccessKey = need('AWS_SECRET_ACCESS_KEY');
  const sessionToken = env['AWS_SESSION_TOKEN'];
  for (const secret of [secretAccessKey, sessionToken]) if (secret !== undefined && secret !== '') remember(secret);
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? DEFAULT_REGION;
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    region,
    service: 's3',
    retries: RETRIES,
    ...(sessionToken === undefined || sessionToken === '' ? {} : { sessionToken }),
  });
  const base = endpointOf(bucket, region, env);
  const ask = (key: string, init: RequestInit = {}): Promise<Response> => {
    const method = init.method ?? 'GET';
    const known = { 'server.address': new URL(base).hostname, 'http.request.method': method };
    return inSpan(`s3 ${method}`, known, async (note) => {
      const response = await request(key, init);
      note({ 'http.response.status_code': response.status });
      return response;
    });
  };
  const request = async (key: string, init: RequestInit): Promise<Response> => {
    const path = prefix === '' ? key : `${prefix}/${key}`;
    try {
      return await client.fetch(`${base}/${path.split('/').map(encodeURIComponent).join('/')}`, {
        ...init,
        redirect: 'error',
        signal: AbortSignal.timeout(LIMIT_MS),
      });
    } catch (error) {
      throw new Error(`${url} does not answer: ${reasonOf(error)}`, { cause: error });
    }
  };
  return {
    url,
    async read(key) {
      const answer = await ask(key);
      if (answer.status === 404) return noSuchKey(url, answer);
      if (!answer.ok) throw await refusal(url, answer);
      return Buffer.from(await answer.arrayBuffer());
    },
    async write(key, bytes, sha256) {
      const answer = await ask(key, {
        method: 'PUT',
        body: new Uint8Array(bytes),
        // Signed along: the server refuses a body that was changed on its way.
        headers: { 'content-type': 'text/plain; charset=utf-8', 'x-amz-content-sha256': sha256 },
      });
      if (!answer.ok) throw await refusal(url, answer);
      await answer.arrayBuffer();
    },
  };
}

/** Path style with an endpoint of one's own, since its certificate and its DNS know no names of buckets; Amazon wants them in the host. */
function endpointOf(bucket: string, region: string, env: Environment): string {
  const own = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  if (own === undefined || own === '') return `https://${bucket}.s3.${region}.amazonaws.com`;
  if (!URL.canParse(own) || !/^https?:$/.test(new URL(own).protocol))
    throw new BadStore(`AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL is ${own}: expected https://HOST[:PORT]`);
  return `${own.replace(/\/+$/, '')}/${bucket}`;
}

const CODE = /<Code>([A-Za-z]{1,60})<\/Code>/;

/** A missing bucket has the same status as a missing key. */
async function noSuchKey(url: string, answer: Response): Promise<null> {
  const code = CODE.exec(await answer.text())?.[1];
  if (code === 'NoSuchBucket') throw new Error(`${url}: there is no such bucket`);
  return null;
}

/** Of the answer only the code, which S3 documents: the rest repeats the request, its signature included. */
async function refusal(url: string, answer: Response): Promise<Error> {
  const code = CODE.exec(await answer.text())?.[1];
  return new Error(`${url} refuses: ${answer.status}${code === undefined ? '' : ` ${code}`}`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
