import { fileURLToPath } from 'node:url';

/** Made by `npm run build`. Two, because how workflows turn failures into payloads is decided when they are bundled. */
export const WORKFLOW_BUNDLE_PATHS = {
  plain: fileURLToPath(new URL('./workflow-bundle.cjs', import.meta.url)),
  encrypted: fileURLToPath(new URL('./workflow-bundle.encrypted.cjs', import.meta.url)),
} as const;
