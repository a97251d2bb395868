import { describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../ports/artifacts.js';
import { ProvisionError } from '../ports/failure.js';
import { Evidence, EVIDENCE_BYTES } from './evidence.js';

/** Keeps in memory, or fails. */
function memory(problem: string | null = null): ArtifactStore & { readonly texts: string[] } {
  const texts: string[] = [];
  return {
    url: 's3://bucket',
    texts,
    put: async (text) => {
      if (problem !== null) throw new Error(problem);
      texts.push(text);
      return { sha256: String(texts.length).repeat(64), bytes: text.length };
    },
    get: async () => '',
  };
}

const never = new AbortController().signal;
const ref = (name: string, text: string, change = {}) => ({
  name,
  sha256: '1'.repeat(64),
  bytes: text.length,
  store: 's3://bucket',
  problem: null,
  ...change,
});

describe('evidence', () => {
  it('goes with the result of a step', async () => {
    const evidence = new Evidence(memory(), never);
    const result = await evidence.with(async () => {
      await evidence.keep('build.log', async () => 'all is well');
      return { changed: true, summary: 'built' };
    });
    expect(result).toEqual({ changed: true, summary: 'built', artifacts: [ref('build.log', 'all is well')] });
  });

  it('goes with what a step fails with, beside its details', async () => {
    const evidence = new Evidence(memory(), never);
    const cause = new Error('why');
    const failing = evidence.with(async () => {
      await evidence.keep('build.log', 'it is broken');
      throw new ProvisionError('CommandFailed', 'exited with 1', { unit: 'u' }, { cause });
    });
    await expect(failing).rejects.toMatchObject({
      type: 'CommandFailed',
      message: 'exited with 1',
      details: { unit: 'u', artifacts: [ref('build.log', 'it is broken')] },
      cause,
    });
  });

  it('does not hide a bug of ours', async () => {
    const evidence = new Evidence(memory(), never);
    const bug = new TypeError('x is undefined');
    await evidence.keep('a', 'b');
    await expect(evidence.with(() => Promise.reject(bug))).rejects.toBe(bug);
  });

  it.each([
    ['a store that is away', memory('s3://bucket does not answer: ECONNREFUSED'), async () => 'text', 4],
    [
      'a host that does not answer',
      memory(),
      () => Promise.reject(new ProvisionError('LinkLost', 'the link broke')),
      0,
    ],
  ])('says that it was not kept, and stops nothing: %s', async (_, store, read, bytes) => {
    const evidence = new Evidence(store, never);
    const { artifacts } = await evidence.with(async () => {
      await evidence.keep('build.log', read);
      return {};
    });
    const problem = expect.stringMatching(/does not answer: ECONNREFUSED|the link broke/) as string;
    expect(artifacts).toEqual([{ name: 'build.log', sha256: '', bytes, store: null, problem }]);
  });

  it('lets a cancel through', async () => {
    const controller = new AbortController();
    const evidence = new Evidence(memory(), controller.signal);
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(evidence.keep('build.log', () => Promise.reject(reason))).rejects.toBe(reason);
  });

  it('keeps the end of what is too long, and says so', async () => {
    const store = memory();
    const evidence = new Evidence(store, never);
    await evidence.keep('journal.log', `begin${'x'.repeat(EVIDENCE_BYTES)}end`);
    expect(store.texts[0]).toHaveLength(EVIDENCE_BYTES);
    expect(store.texts[0]!.endsWith('xend')).toBe(true);
    expect(evidence.artifacts[0]!.problem).toBe(`only the end: it had ${EVIDENCE_BYTES + 8} characters`);
  });

  it('is nothing where nothing was said, or nobody keeps it', async () => {
    const store = memory();
    const evidence = new Evidence(store, never);
    await evidence.keep('empty.log', ' \n');
    const nowhere = new Evidence(null, never);
    await nowhere.keep('build.log', () => Promise.reject(new Error('is not even read')));
    const steps = [evidence, nowhere].map((one) => one.with(async () => ({ changed: false })));
    expect(await Promise.all(steps)).toEqual([{ changed: false }, { changed: false }]);
    expect(store.texts).toEqual([]);
  });
});
