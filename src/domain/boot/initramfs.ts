/**
 * What a built boot image must hold. update-initramfs can exit 0 and do nothing, and lsinitramfs shows scripts that never run:
 * a script runs only when `ORDER` names it.
 * @module
 */

/** What was read out of one image. */
export interface ImageFacts {
  readonly image: string;
  readonly kernel: string;
  readonly sha256: string;
  /** Script names of init-top in the order they run. */
  readonly order: readonly string[];
  /** SHA-256 and octal mode, null when the file isn't in the image. */
  readonly hook: { readonly sha256: string; readonly mode: string } | null;
  readonly launcher: { readonly sha256: string; readonly mode: string } | null;
  /** File names of kernel modules that matter: `vfio-pci.ko.zst`, `nvidia.ko`. */
  readonly modules: readonly string[];
  /** Whether the kernel has vfio-pci built in. */
  readonly vfioBuiltIn: boolean;
}

export interface WantedImage {
  readonly hookSha256: string;
  readonly launcherSha256: string;
  readonly hookName: string;
  readonly launcherName: string;
}

/** What is wrong with an image; empty when it will bind the GPUs before udev. */
export function imageProblems(facts: ImageFacts, want: WantedImage): readonly string[] {
  const problems: string[] = [];
  const udev = facts.order.indexOf('udev');
  const launcher = facts.order.indexOf(want.launcherName);
  if (facts.hook === null) problems.push(`${want.hookName} is not in the image`);
  else {
    if (facts.hook.sha256 !== want.hookSha256) problems.push(`${want.hookName} in the image is another version`);
    if (!executable(facts.hook.mode)) problems.push(`${want.hookName} in the image has mode ${facts.hook.mode}`);
  }
  if (facts.launcher === null) problems.push(`${want.launcherName} is not in the image`);
  else if (facts.launcher.sha256 !== want.launcherSha256)
    problems.push(`${want.launcherName} in the image is another version`);
  if (launcher < 0) problems.push(`ORDER of init-top doesn't name ${want.launcherName}, so it would never run`);
  else if (udev >= 0 && launcher > udev) problems.push(`ORDER of init-top runs udev before ${want.launcherName}`);
  if (!facts.vfioBuiltIn) {
    for (const module of ['vfio-pci', 'vfio_iommu_type1']) {
      if (!facts.modules.some((file) => file.replaceAll('-', '_').startsWith(`${module.replaceAll('-', '_')}.ko`))) {
        problems.push(`module ${module} is not in the image`);
      }
    }
  }
  return problems;
}

/** Names of our scripts that are still in an image; empty when it is clean. */
export function leftovers(facts: ImageFacts): readonly string[] {
  const found: string[] = [];
  if (facts.hook !== null) found.push('hook');
  if (facts.launcher !== null) found.push('launcher');
  return found;
}

function executable(mode: string): boolean {
  return (Number.parseInt(mode, 8) & 0o111) !== 0;
}

/** Output of the inspection script: tab-separated `key value…` lines. null when it is garbled. */
export function parseImageFacts(image: string, kernel: string, sha256: string, output: string): ImageFacts | null {
  const order: string[] = [];
  const modules: string[] = [];
  let hook: ImageFacts['hook'] = null;
  let launcher: ImageFacts['launcher'] = null;
  let vfioBuiltIn = false;
  let complete = false;
  for (const line of output.split('\n')) {
    const [key, a, b] = line.split('\t');
    if (key === 'order' && a !== undefined) order.push(a);
    else if (key === 'module' && a !== undefined) modules.push(a);
    else if (key === 'hook' && a !== undefined && b !== undefined) hook = { sha256: a, mode: b };
    else if (key === 'launcher' && a !== undefined && b !== undefined) launcher = { sha256: a, mode: b };
    else if (key === 'builtin') vfioBuiltIn = true;
    else if (key === 'end') complete = true;
    else if (line !== '') return null;
  }
  // Without init-top it isn't an initramfs-tools image (dracut, or a truncated archive).
  if (!complete || order.length === 0) return null;
  return { image, kernel, sha256, order, hook, launcher, modules, vfioBuiltIn };
}
