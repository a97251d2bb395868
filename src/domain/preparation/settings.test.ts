import { describe, expect, it } from 'vitest';
import { kvmModule, renderModulesLoad, wantedModules } from './modules.js';
import { installedPackages, renderAptMirror, wantedPackages } from './packages.js';
import { renderSysctl, SYSCTLS, sysctlProblems } from './sysctl.js';

describe('packages', () => {
  it('belong to the kernel that runs', () => {
    const names = wantedPackages('6.8.0-60-generic').map((wanted) => wanted.name);
    expect(names).toContain('linux-headers-6.8.0-60-generic');
    expect(names).toContain('linux-modules-extra-6.8.0-60-generic');
    expect(new Set(names).size).toBe(names.length);
  });

  it('count as installed only when they are configured', () => {
    const output = 'lvm2\tii \nnfs-common\tun \ngnupg\trc \npciutils\tiF \n';
    expect([...installedPackages(output)]).toEqual(['lvm2']);
  });

  it('come from the mirror of the site, still signed by Ubuntu', () => {
    const list = renderAptMirror('https://mirror.example/ubuntu');
    expect(list.trim().split('\n')).toHaveLength(3);
    expect(list).toContain(
      '[signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] https://mirror.example/ubuntu noble-security main',
    );
  });
});

describe('modules', () => {
  it('are those that every node needs, and the optional ones that exist', () => {
    const modules = wantedModules('kvm_intel', ['zfs', 'unknown']);
    expect(modules).toEqual(expect.arrayContaining(['br_netfilter', 'geneve', 'kvm_intel', 'zfs']));
    expect(modules).not.toContain('openvswitch');
    expect(modules).not.toContain('unknown');
  });

  it.each([
    ['flags\t\t: fpu vme vmx smx', 'kvm_intel'],
    ['flags\t\t: fpu svm', 'kvm_amd'],
    ['flags\t\t: fpu vmxoff', null],
    ['', null],
  ])('for guests follow from the CPU: %j', (flags, kvm) => {
    expect(kvmModule(flags)).toBe(kvm);
  });

  it('are one per line at boot', () => {
    expect(renderModulesLoad(['tun', 'zfs'])).toBe('# Written by gpu-provision.\ntun\nzfs\n');
  });
});

describe('kernel parameters', () => {
  const lines = Object.entries(SYSCTLS).map(([key, value]) => `${key} = ${value}`);

  it('read back as written', () => {
    expect(sysctlProblems(`${lines.join('\n')}\n`)).toEqual([]);
    expect(renderSysctl()).toContain('\nnet.bridge.bridge-nf-call-iptables = 1\n');
  });

  it('are named when they differ or are missing', () => {
    expect(sysctlProblems(['fs.inotify.max_user_watches = 8192', ...lines.slice(1, -1)].join('\n'))).toEqual([
      'fs.inotify.max_user_watches is 8192, not 1048576',
      'vm.swappiness is unknown, not 1',
    ]);
  });
});
