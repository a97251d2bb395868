import { describe, expect, it } from 'vitest';
import { topological } from './mkinitramfs.js';

describe('the order of scripts', () => {
  const order = (...scripts: readonly (readonly [string, ...string[]])[]): string =>
    topological(new Map(scripts.map(([name, ...after]) => [name, after]))).join(' ');

  it('is alphabetical where nothing says otherwise: a hook named v… comes after udev', () => {
    expect(order(['all_generic_ide'], ['udev'], ['vfio-pci-override'])).toBe('all_generic_ide udev vfio-pci-override');
  });

  it('puts a script after what it names', () => {
    expect(order(['a', 'c'], ['b'], ['c'])).toBe('b c a');
  });

  it('ignores names that do not exist, and breaks a circle instead of hanging', () => {
    expect(order(['a', 'gone'], ['b', 'c'], ['c', 'b'])).toBe('a b c');
  });
});
