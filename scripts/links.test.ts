/** Links between the pages of the repository lead to files and headings that exist. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const folders = ['docs', 'deploy', 'examples', 'lab', 'scripts', 'src', 'test'];
const pages = [
  ...readdirSync(root),
  ...folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  ),
].filter((file) => file.endsWith('.md'));

describe('the documentation', () => {
  it.each(pages)('%s has no dead link', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const dead = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leadsSomewhere(page, target));
    expect(dead).toEqual([]);
  });

  it('is reached from its index, page by page', () => {
    const linked = readFileSync(join(root, 'docs/README.md'), 'utf8');
    const own = pages.map((page) => relative('docs', page)).filter((page) => /^[^./][^/]*\.md$/.test(page));
    expect(own.filter((page) => page !== 'README.md' && !linked.includes(`](${page})`))).toEqual([]);
  });
});

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', heading] = target.split('#');
  const file = path === '' ? join(root, page) : join(root, dirname(page), path);
  if (!existsSync(file)) return false;
  if (heading === undefined || !file.endsWith('.md')) return true;
  return headingsOf(readFileSync(file, 'utf8')).includes(heading);
}

/** As GitHub makes anchors of headings. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
