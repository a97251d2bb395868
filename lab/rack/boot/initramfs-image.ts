/**
 * The boot image as bytes: a stand-in for the compressed cpio that holds the same files under the same names. Every build gives
 * other bytes, as mkinitramfs does (time stamps, temporary names), so only saved images can be put back byte by byte.
 * @module
 */
import { createHash } from 'node:crypto';
import { directory, file, link, type Entry } from '../disk/entry.js';
import { withParents } from '../disk/volume.js';

export interface ImageFile {
  readonly mode: number;
  readonly text?: string;
  readonly link?: string;
}

export interface ImageContent {
  readonly kernel: string;
  /** Number of the build on its host. */
  readonly build: number;
  /** By path in the image, without the leading slash. */
  readonly files: Readonly<Record<string, ImageFile>>;
}

const MAGIC = '070701 lab initramfs';

export function packImage(content: ImageContent): Uint8Array {
  const body = JSON.stringify(content);
  return Buffer.from(`${MAGIC} ${createHash('sha256').update(body).digest('hex')}\n${body}`);
}

/** null when the bytes are not a whole image. */
export function unpackImage(bytes: Uint8Array): ImageContent | null {
  const text = Buffer.from(bytes).toString();
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  if (text.slice(0, end) !== `${MAGIC} ${createHash('sha256').update(body).digest('hex')}`) return null;
  return JSON.parse(body) as ImageContent;
}

/** The image as a file tree below `/`. */
export function imageTree(content: ImageContent): Map<string, Entry> {
  const tree = new Map<string, Entry>();
  for (const [path, { mode, text, link: target }] of Object.entries(content.files)) {
    if (target !== undefined) tree.set(`/${path}`, link(target));
    else tree.set(`/${path}`, text === undefined ? directory({ mode }) : file(text, { mode }));
  }
  return withParents(tree);
}
