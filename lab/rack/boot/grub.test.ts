import { describe, expect, it } from 'vitest';
import { parseEnvironment, renderEnvironment } from './grub-environment.js';
import { runGrub, type GrubOutcome } from './grub.js';
import { GrubSyntaxError, parseGrubScript } from './grub-script.js';

const entry = (id: string, kernel = '/boot/vmlinuz'): string =>
  `menuentry '${id} title' --class os --id ${id} {\n  linux ${kernel} token.${id}\n  initrd /boot/initrd\n}\n`;

interface Disk {
  readonly cfg: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly writable?: boolean;
  readonly files?: readonly string[];
}

function boot({ cfg, environment = {}, writable = true, files = [] }: Disk): {
  outcome: GrubOutcome;
  environment: Map<string, string> | null;
  said: string[];
} {
  const disk = new Map<string, Uint8Array>([
    ['/boot/grub/grub.cfg', Buffer.from(cfg)],
    ['/boot/grub/grubenv', Buffer.from(renderEnvironment(new Map(Object.entries(environment))) ?? '')],
    ...['/boot/vmlinuz', '/boot/initrd', ...files].map((path): [string, Uint8Array] => [path, Buffer.from('x')]),
  ]);
  const said: string[] = [];
  const outcome = runGrub({
    readFile: (path) => disk.get(path) ?? null,
    writeFile: (path, content) => {
      if (writable) disk.set(path, content);
      return writable;
    },
    hasFileSystem: (uuid) => uuid === 'root-uuid',
    print: (line) => said.push(line),
  });
  return { outcome, environment: parseEnvironment(Buffer.from(disk.get('/boot/grub/grubenv') ?? '').toString()), said };
}

const chosen = (disk: Disk): string => {
  const { outcome } = boot(disk);
  return outcome.kind === 'boot' ? outcome.entry : outcome.kind;
};

describe('which entry GRUB takes', () => {
  const menu = `${entry('a')}${entry('b')}submenu 'More' --id more {\n${entry('c')}${entry('d')}}\n`;
  it.each([
    ['nothing set', '', 'a'],
    ['an index', 'set default=1', 'b'],
    ['an id', 'set default="b"', 'b'],
    ['a title', "set default='b title'", 'b'],
    ['an entry of a submenu by id', 'set default="more>d"', 'd'],
    ['an entry of a submenu by index', 'set default="2>1"', 'd'],
    ['an id that does not exist: the first entry', 'set default=gone', 'a'],
    ['the last of two', 'set default=b\nset default=a', 'a'],
    ['a branch', 'if [ "$grub_platform" = "efi" ]; then set default=b; else set default=a; fi', 'b'],
    ['an elif', 'if [ a = b ]; then set default=a; elif [ -n "x" -a 1 -lt 2 ]; then set default=b; fi', 'b'],
    ['a function', 'function pick {\n set default=b\n}\npick', 'b'],
    ['a timeout of -1: waits for a key', 'set timeout=-1', 'menu'],
  ])('%s', (_what, head, expected) => {
    expect(chosen({ cfg: `${head}\n${menu}` })).toBe(expected);
  });
});

describe('the environment block', () => {
  it('is 1,024 bytes, and anything else is invalid', () => {
    expect(renderEnvironment(new Map([['a', '1']]))).toHaveLength(1024);
    expect(parseEnvironment('a=1')).toBeNull();
    expect(renderEnvironment(new Map([['a', 'x'.repeat(1100)]]))).toBeNull();
  });

  it('keeps an emptied variable as empty, and drops an unset one', () => {
    const environment = { gone: '1', emptied: '1', kept: '1' };
    const { environment: after } = boot({
      cfg: `load_env\nset emptied=\nunset gone\nsave_env emptied gone\n${entry('a')}`,
      environment,
    });
    expect(after).toEqual(
      new Map([
        ['emptied', ''],
        ['kept', '1'],
      ]),
    );
  });

  it('loads only the variables named', () => {
    expect(
      chosen({
        cfg: `load_env other\nif [ "\${pick}" ]; then set default=b; fi\n${entry('a')}${entry('b')}`,
        environment: { pick: '1', other: '1' },
      }),
    ).toBe('a');
  });

  it('fails to save on a disk that cannot be written', () => {
    const { said, outcome } = boot({
      cfg: `set x=1\nif save_env x; then set default=b; fi\n${entry('a')}${entry('b')}`,
      writable: false,
    });
    expect(outcome).toMatchObject({ kind: 'boot', entry: 'a' });
    expect(said).toContain('error: disk write failed.');
  });
});

describe('an entry that cannot boot', () => {
  it('leaves GRUB at its menu', () => {
    expect(boot({ cfg: entry('a', '/boot/gone') }).outcome).toEqual({
      kind: 'menu',
      reason: "file `/boot/gone' not found.",
      failed: true,
    });
  });

  it('boots without an initrd that is missing, which the kernel will panic over', () => {
    expect(boot({ cfg: "menuentry 'a' --id a {\n linux /boot/vmlinuz\n initrd /boot/gone\n}" }).outcome).toMatchObject({
      kind: 'boot',
      initrds: [],
    });
  });

  it('boots from where it is when the file system it searches is not there', () => {
    const cfg = "menuentry 'a' --id a {\n search --no-floppy --fs-uuid --set=root other\n linux /boot/vmlinuz\n}";
    const { outcome, said } = boot({ cfg });
    expect(outcome).toMatchObject({ kind: 'boot', kernel: '/boot/vmlinuz' });
    expect(said).toContain('error: no such device: other.');
  });

  it.each([
    ['a number', '1', 'b'],
    ['an id', 'b', 'b'],
    ['the next, where the first cannot boot either', '0 1', 'b'],
    ['the first entry of a submenu', 'more', 'c'],
    ['nothing that exists', 'gone 1', 'menu'],
    ['what cannot boot either', '0', 'menu'],
  ])('falls back to %s', (_what, fallback, expected) => {
    const menu = `${entry('a', '/boot/gone')}${entry('b')}submenu 'More' --id more {\n${entry('c')}}\n`;
    expect(chosen({ cfg: `set fallback="${fallback}"\n${menu}` })).toBe(expected);
  });

  it('can reboot instead', () => {
    expect(
      boot({ cfg: "menuentry 'a' --id a {\n if linux /boot/gone; then initrd /boot/initrd; else reboot; fi\n}" })
        .outcome,
    ).toEqual({ kind: 'reboot' });
  });
});

describe('the parser', () => {
  it.each(['if [ a ]; then set x=1', 'menuentry x {\n linux /a', 'fi', "set a='b", 'menuentry a {\n}\n}'])(
    'refuses %j',
    (text) => {
      expect(() => parseGrubScript(text)).toThrow(GrubSyntaxError);
    },
  );

  it('splits an unquoted variable into words and keeps a quoted one whole', () => {
    const { outcome } = boot({
      cfg: `set args="one two"\nmenuentry 'a' --id a {\n linux /boot/vmlinuz $args "$args"\n initrd /boot/initrd\n}`,
    });
    expect(outcome).toMatchObject({ args: 'BOOT_IMAGE=/boot/vmlinuz one two one two' });
  });
});
