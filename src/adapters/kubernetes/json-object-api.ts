/**
 * The library's client for objects of any kind, with objects as the JSON that the API speaks. By itself the library turns built-in kinds
 * into its own models and back. That drops fields newer than the library, renames some (`from`, `default`), makes dates of timestamps so
 * that an object which was read cannot be written back, and takes kinds of other groups for built-in ones of the same name.
 * @module
 */
import {
  ApiException,
  HttpMethod,
  KubernetesObjectApi,
  type KubernetesObject,
  type PatchStrategy,
  type RequestContext,
  type V1APIResource,
} from '@kubernetes/client-node';
import { FIELD_MANAGER } from '../../domain/cluster/ownership.js';
import { isMissing } from './refusal.js';

/** Every method throws ApiException, code 404 also for a kind that is not served; and what the HTTP library throws. */
export class JsonObjectApi extends KubernetesObjectApi {
  /** The body of a GET, as it is. */
  raw(path: string): Promise<string> {
    return this.text(this.configuration.baseServer.makeRequestContext(path, HttpMethod.GET));
  }

  /** Instead of `patch`, which writes the library's models and demands a patch with a name. */
  async patchJson(strategy: PatchStrategy, spec: KubernetesObject, body: unknown): Promise<KubernetesObject> {
    const path = await this.specUriPath(spec, 'patch');
    const request = this.configuration.baseServer.makeRequestContext(path, HttpMethod.PATCH);
    request.setHeaderParam('Accept', 'application/json');
    request.setHeaderParam('Content-Type', strategy);
    request.setQueryParam('fieldManager', FIELD_MANAGER);
    // Otherwise a merge patch drops a field that the kind does not have, with a warning that nobody reads.
    request.setQueryParam('fieldValidation', 'Strict');
    request.setBody(JSON.stringify(body));
    return this.requestPromise(request);
  }

  protected override async requestPromise<T extends KubernetesObject>(request: RequestContext): Promise<T> {
    const object: T = JSON.parse(await this.text(request));
    // The library would keep anything else as its list of kinds, and stumble over it for ever.
    if (typeof object?.kind !== 'string') throw new SyntaxError('the answer has no kind');
    return object;
  }

  /** The library takes `default` for a namespace that was forgotten. */
  protected override async specUriPath(spec: KubernetesObject, action: Action): Promise<string> {
    const { namespaced } = await this.resource(spec.apiVersion ?? '', spec.kind ?? '');
    if (namespaced && action !== 'list' && spec.metadata?.namespace === undefined)
      throw new TypeError(`${spec.kind} ${spec.metadata?.name} needs a namespace: its kind is namespaced`);
    return super.specUriPath(spec, action);
  }

  /**
   * A kind that is missing is a 404 like an object that is; the library has a plain Error when the group is there and the kind is not. What
   * was missing is asked for again each time, since kinds appear while a platform is installed: the library remembers only what it found.
   */
  protected override async resource(apiVersion: string, kind: string): Promise<V1APIResource> {
    try {
      const found = await super.resource(apiVersion, kind);
      if (found !== undefined) return found;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    const message = `the API does not serve ${apiVersion} ${kind} yet`;
    const body = JSON.stringify({ kind: 'Status', reason: 'NotFound', message });
    throw new ApiException(404, 'not served', body, {});
  }

  private async text(request: RequestContext): Promise<string> {
    await this.configuration.authMethods.default?.applySecurityAuthentication(request);
    const response = await this.configuration.httpApi.send(request).toPromise();
    const body = await response.body.text();
    if (response.httpStatusCode >= 200 && response.httpStatusCode < 300) return body;
    throw new ApiException(response.httpStatusCode, 'refused', body, response.headers);
  }
}

type Action = 'create' | 'delete' | 'patch' | 'read' | 'list' | 'replace';
