import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../../lab/tools/free-port.js';
import { startS3, type S3Server } from '../../../lab/tools/moto.js';
import { thisMachine } from '../../../lab/tools/workshop.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import type { ArtifactStore } from '../../ports/artifacts.js';
import { openArtifactStore } from './index.js';

/** The first time it is installed. */
const START_LIMIT_MS = 300_000;
const LIMIT_MS = 60_000;

let s3: S3Server;

const open = (place: string, change: Readonly<Record<string, string>> = {}): ArtifactStore =>
  openArtifactStore(place, {
    env: { AWS_ENDPOINT_URL_S3: s3.url, ...s3.credentials, ...change },
    remember: () => undefined,
  });
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Straight to the server, past our own client: what is there. */
async function raw(store: ArtifactStore, path: string, init: { method: string; body?: string }): Promise<void> {
  const { AwsClient } = await import('aws4fetch');
  const client = new AwsClient({
    accessKeyId: s3.credentials.AWS_ACCESS_KEY_ID,
    secretAccessKey: s3.credentials.AWS_SECRET_ACCESS_KEY,
    service: 's3',
    region: 'us-east-1',
  });
  const answer = await client.fetch(`${s3.url}/${store.url.slice('s3://'.length)}/${path}`, init);
  expect(answer.ok).toBe(true);
}

describeWith('artifacts in S3', ['python3'], 'python3-venv', () => {
  beforeAll(async () => {
    s3 = await startS3('evidence', thisMachine());
  }, START_LIMIT_MS);
  afterAll(() => s3.stop());

  it(
    'are found again by their content, under any prefix',
    async () => {
      for (const place of ['s3://evidence', 's3://evidence/fra1/runs of 2026+x']) {
        const store = open(place);
        const text = `${place}\njournal of a boot: Größe 大 ${'x'.repeat(100_000)}`;
        const stored = await store.put(text);
        expect(stored).toEqual({ sha256: hash(text), bytes: Buffer.byteLength(text) });
        expect(await open(store.url).get(stored.sha256)).toBe(text);
        // Again: the same object.
        expect(await store.put(text)).toEqual(stored);
      }
    },
    LIMIT_MS,
  );

  it(
    'are refused when somebody has changed them',
    async () => {
      const store = open('s3://evidence/changed');
      const { sha256 } = await store.put('what was found');
      await raw(store, `sha256/${sha256.slice(0, 2)}/${sha256}`, { method: 'PUT', body: 'something else' });
      await expect(store.get(sha256)).rejects.toThrow(`artifact ${sha256} is damaged`);
    },
    LIMIT_MS,
  );

  it(
    'that are not there are an error that names them',
    async () => {
      await expect(open('s3://evidence').get(hash('never'))).rejects.toThrow(
        `s3://evidence has no artifact ${hash('never')}`,
      );
    },
    LIMIT_MS,
  );

  it(
    'say why they are refused: no such bucket, a wrong key, an unknown one',
    async () => {
      await expect(open('s3://nowhere').put('x')).rejects.toThrow('s3://nowhere refuses: 404 NoSuchBucket');
      await expect(open('s3://nowhere').get(hash('x'))).rejects.toThrow('s3://nowhere: there is no such bucket');
      await expect(open('s3://evidence', { AWS_SECRET_ACCESS_KEY: 'wrong' }).put('x')).rejects.toThrow(
        's3://evidence refuses: 403 SignatureDoesNotMatch',
      );
      await expect(open('s3://evidence', { AWS_ACCESS_KEY_ID: 'AKIANOBODY' }).put('x')).rejects.toThrow(
        /^s3:\/\/evidence refuses: 403 InvalidAccessKeyId$/,
      );
    },
    LIMIT_MS,
  );

  it(
    'are an error within a limit when nobody answers',
    async () => {
      const url = `http://127.0.0.1:${await freePort()}`;
      await expect(open('s3://evidence', { AWS_ENDPOINT_URL_S3: url }).put('x')).rejects.toThrow(
        /^s3:\/\/evidence does not answer: .*ECONNREFUSED/,
      );
    },
    LIMIT_MS,
  );
});
