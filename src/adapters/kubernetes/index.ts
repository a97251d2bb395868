/** Kubernetes clusters over SSH. @module */
export { createClusterProvider } from './cluster-provider.js';
