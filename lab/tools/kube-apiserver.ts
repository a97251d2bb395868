/**
 * A whole control plane in one program: kube-apiserver with etcd inside, and the two controllers that deletions rely on.
 * @module
 */
import { goProgram } from './go-program.js';
import { thisMachine, type Workshop } from './workshop.js';

/** As `kube-apiserver/go.mod` has it. */
const VERSION = '1.36.3';

/** Path of an executable; built and cached when there is none. Throws ToolUnavailable. */
export function kubeApiserver(workshop: Workshop = thisMachine()): Promise<string> {
  return goProgram(
    {
      title: `kube-apiserver ${VERSION}`,
      // Not `kube-apiserver`: one in PATH has no etcd inside.
      command: 'lab-kube-apiserver',
      variable: 'GPU_PROVISION_KUBE_APISERVER',
      folder: 'kube-apiserver',
      version: VERSION,
      answer: `with etcd, Kubernetes v${VERSION}`,
      flags: `-s -w -X k8s.io/component-base/version.gitVersion=v${VERSION}`,
      takes: 'about 5 minutes on two cores',
    },
    workshop,
  );
}
