import { fileURLToPath } from 'node:url';

/** Made by `npm run build`. */
export const WORKFLOW_BUNDLE_PATH = fileURLToPath(new URL('./workflow-bundle.cjs', import.meta.url));
