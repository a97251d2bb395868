/**
 * The Cluster port over a kubeconfig and byte streams.
 * @module
 */
import type { Duplex } from 'node:stream';
import {
  ApiException,
  CoreV1Api,
  createConfiguration,
  PatchStrategy,
  ServerConfiguration,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import { z } from 'zod';
import { nameOf } from '../../domain/cluster/objects.js';
import type { Cluster, KubeObject, ObjectRef } from '../../ports/cluster.js';
import { ProvisionError } from '../../ports/failure.js';
import { JsonObjectApi } from './json-object-api.js';
import type { Kubeconfig } from './kubeconfig.js';
import type { Outage } from './outage.js';
import { allPages } from './pages.js';
import { isMissing, refusal } from './refusal.js';
import { StreamHttp } from './stream-http.js';

const TEXTS = z.record(z.string(), z.string()).exactOptional();
const TEXT = z.string().exactOptional();
const OBJECT = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: TEXT,
    uid: TEXT,
    resourceVersion: TEXT,
    labels: TEXTS,
    annotations: TEXTS,
  }),
});
export interface ClusterLimits {
  /** One request with its answer; a single-node API answers in milliseconds, and in seconds while it restarts. */
  readonly requestTimeoutMs: number;
  /** Objects in one answer, as many as kubectl asks for: bounds what the API and this process hold at once. */
  readonly pageSize: number;
}

export const CLUSTER_LIMITS: ClusterLimits = { requestTimeoutMs: 30_000, pageSize: 500 };

interface ApiClusterOptions {
  readonly kubeconfig: Kubeconfig;
  /** Gives a new stream to the API, whose certificate is for the kubeconfig's host. */
  readonly open: () => Promise<Duplex>;
  /** For messages: `the API of h100-01`. */
  readonly name: string;
  readonly limits: ClusterLimits;
  readonly outage: Outage;
  /** Called when the API cannot be used as it was: its address and credentials are not to be trusted any more. */
  readonly onBroken: () => void;
}

export class ApiCluster implements Cluster {
  private readonly kubeconfig: Kubeconfig;
  private readonly name: string;
  private readonly http: StreamHttp;
  private readonly objects: JsonObjectApi;
  private readonly core: CoreV1Api;
  private readonly limits: ClusterLimits;
  private readonly outage: Outage;

  constructor({ kubeconfig, open, name, limits, outage, onBroken }: ApiClusterOptions) {
    this.http = new StreamHttp(open, name, limits.requestTimeoutMs, onBroken);
    const { config } = kubeconfig;
    const configuration = createConfiguration({
      baseServer: new ServerConfiguration(config.getCurrentCluster()?.server ?? '', {}),
      authMethods: { default: config },
      httpApi: wrapHttpLibrary(this.http),
    });
    this.kubeconfig = kubeconfig;
    this.name = name;
    this.limits = limits;
    this.outage = outage;
    this.objects = new JsonObjectApi(configuration);
    this.core = new CoreV1Api(configuration);
  }

  /** Ends its connections, and with them what is being asked. */
  close(): void {
    this.http.close();
  }

  raw(path: string): Promise<string> {
    return this.ask(path, () => this.objects.raw(path));
  }

  get(ref: ObjectRef): Promise<KubeObject | null> {
    return this.askOr(null, describe(ref), async () => OBJECT.parse(await this.objects.read(headerOf(ref))));
  }

  list(kind: {
    apiVersion: string;
    kind: string;
    namespace?: string;
    labelSelector?: string;
  }): Promise<readonly KubeObject[]> {
    const { apiVersion, kind: name, namespace, labelSelector } = kind;
    return this.askOr([], `${name} list`, async () => {
      const [pretty, exact, exported, fieldSelector] = [undefined, undefined, undefined, undefined];
      const { pageSize } = this.limits;
      const items = await allPages((token) =>
        this.objects.list(
          apiVersion,
          name,
          namespace,
          pretty,
          exact,
          exported,
          fieldSelector,
          labelSelector,
          pageSize,
          token,
        ),
      );
      // Items of built-in kinds carry neither field; the list stands for them.
      return items.map((item) => OBJECT.parse({ apiVersion, kind: name, ...item }));
    });
  }

  apply(object: KubeObject): Promise<KubeObject> {
    const { apiVersion, kind, metadata } = object;
    return this.patch(PatchStrategy.ServerSideApply, { apiVersion, kind, ...metadata }, object);
  }

  mergePatch(ref: ObjectRef, patch: unknown): Promise<KubeObject> {
    return this.patch(PatchStrategy.MergePatch, ref, patch);
  }

  delete(ref: ObjectRef): Promise<boolean> {
    const [pretty, dryRun, gracePeriod, orphans] = [undefined, undefined, undefined, undefined];
    return this.askOr(false, describe(ref), async () => {
      await this.objects.delete(headerOf(ref), pretty, dryRun, gracePeriod, orphans, 'Foreground');
      return true;
    });
  }

  podLog(namespace: string, name: string, tailLines: number): Promise<string> {
    const what = `log of Pod ${namespace}/${name}`;
    return this.ask(what, async () => {
      try {
        return await this.core.readNamespacedPodLog({ namespace, name, tailLines });
      } catch (error) {
        // The kubelet's answer for a container that has not started, or whose log went with its node's disk.
        if (error instanceof ApiException && error.code === 400)
          throw new ProvisionError('NotReadyYet', `${this.name}, ${what}: there is none`);
        throw error;
      }
    });
  }

  private patch(strategy: PatchStrategy, ref: ObjectRef, body: unknown): Promise<KubeObject> {
    return this.ask(describe(ref), async () =>
      OBJECT.parse(await this.objects.patchJson(strategy, headerOf(ref), body)),
    );
  }

  private async ask<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      this.outage.end();
      return answer;
    } catch (error) {
      throw this.outage.dated(refusal(error, `${this.name}, ${what}`, this.kubeconfig));
    }
  }

  /** `missing` when the object or its kind is not there. */
  private askOr<T>(missing: T, what: string, call: () => Promise<T>): Promise<T> {
    return this.ask(what, async () => {
      try {
        return await call();
      } catch (error) {
        if (isMissing(error)) return missing;
        throw error;
      }
    });
  }
}

function headerOf({ apiVersion, kind, name, namespace }: ObjectRef) {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
}

const describe = (ref: ObjectRef): string => nameOf(headerOf(ref));
