import { afterEach, describe, expect, it } from 'vitest';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const TAKEN_AWAY = 'isolation.publish-known-good-default.undo';

/** A run whose trial falls back and whose undo reboot does what is given last. */
async function undoing(world: World, ...behaviours: World['behaviours']): Promise<Rig> {
  world.behaviours = ['falls-back', ...behaviours];
  rig = await Rig.start(world);
  await rig.approve();
  return rig;
}

describe("the undo's own reboot", () => {
  it('enters the ordinary default once, and takes custom.cfg away only when the host runs it', async () => {
    const world = new World();
    const { status } = await (await undoing(world)).end();
    expect(status.outcome).toBe('restored');
    expect(world).toMatchObject({ entry: 'default', ordinaryOnce: false, armed: false });
    const ordered = [
      'restore.publish-ordinary-once',
      'reboot.arm',
      'reboot.request',
      'reboot.await-return',
      'restore.disarm',
      'restore.verify',
      TAKEN_AWAY,
      'isolation.hold-kernel.undo',
      'restore.verify',
      'restore.close-ledger',
    ];
    const begun = world.calls.indexOf('restore.publish-ordinary-once');
    expect(world.calls.indexOf('isolation.check-saved-images.undo')).toBeLessThan(begun);
    expect(world.calls.slice(begun).filter((name) => ordered.includes(name))).toEqual(ordered);
  });

  it('that hangs ends in known-good after one power cycle, and waits for hands with custom.cfg in place', async () => {
    const world = new World();
    const run = await undoing(world, 'hangs');
    const { question, instructions } = await run.leapUntilAsked('needs-hands');
    expect(question?.text).toContain('fell-back (it did not come up)');
    expect(instructions.join('\n')).toContain('it runs known-good');
    expect(world).toMatchObject({ online: true, entry: 'known-good', powerCycles: 1, armed: false });
    expect(world.calls).not.toContain(TAKEN_AWAY);

    await run.update('resume', { gate: 'needs-hands', reason: 'kernel reinstalled' });
    const { status } = await run.end();
    expect(status).toMatchObject({
      outcome: 'restored',
      counts: { forwardReboots: 1, undoReboots: 2, powerCycles: 1 },
    });
    expect(world.entry).toBe('default');
  });

  it('is not asked for a third time; a person who boots the ordinary entry by hand ends the undo', async () => {
    const world = new World();
    const run = await undoing(world, 'falls-back', 'falls-back');
    await run.leapUntilAsked('needs-hands');
    await run.update('resume', { gate: 'needs-hands' });
    await run.leapUntilAsked('needs-hands#2');
    await run.update('resume', { gate: 'needs-hands#2' });
    const { question, instructions } = await run.leapUntilAsked('needs-hands#3');
    expect(question?.text).toContain('used up');
    expect(instructions.join('\n')).toContain('choose its ordinary entry');
    expect(world).toMatchObject({ reboots: 3, entry: 'known-good' });

    world.powerCut();
    world.entry = 'default';
    await run.update('resume', { gate: 'needs-hands#3', reason: 'chose the first entry at the console' });
    expect((await run.end()).status.outcome).toBe('restored');
    expect(world).toMatchObject({ reboots: 3, entry: 'default', ordinaryOnce: false });
  });

  it('is ordered anew when a power cut came before GRUB could see the order', async () => {
    const world = new World();
    world.on.set('restore.publish-ordinary-once', () => {
      world.on.set('reboot.arm', () => {
        world.on.clear();
        world.powerCut();
        expect(world.entry).toBe('known-good');
      });
    });
    const { status } = await (await undoing(world)).end();
    expect(status.outcome).toBe('restored');
    expect(world).toMatchObject({ entry: 'default', reboots: 2 });
  });

  it('is not repeated without end where GRUB cannot consume the order', async () => {
    const world = new World();
    world.on.set('restore.disarm', () => void (world.armed = true));
    const { question } = await (await undoing(world, 'falls-back', 'falls-back')).leapUntilAsked('needs-hands');
    expect(question?.text).toContain('fell-back (it was not tried)');
    expect(world).toMatchObject({ reboots: 3, entry: 'known-good', armed: false });
  });

  it('is not done when the host never left its ordinary boot', async () => {
    const world = new World();
    world.behaviours = ['never-leaves'];
    rig = await Rig.start(world);
    await rig.approve();
    expect((await rig.end()).status.outcome).toBe('restored');
    expect(world.calls).not.toContain('restore.publish-ordinary-once');
    expect(world.calls).toContain(TAKEN_AWAY);
  });
});
