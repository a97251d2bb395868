/**
 * The PCI bus of a running kernel. A driver that registers gets every unbound device it matches; a device with a
 * driver_override matches only the driver of that name, and one without matches drivers that list its id.
 * @module
 */
import type { PciDevice } from './device.js';

export interface DeviceState {
  readonly device: PciDevice;
  driver: string | null;
  override: string | null;
}

export interface RegisteredDriver {
  readonly name: string;
  readonly module: string;
  /** Ids it claims besides those of `native`: new_id, or vfio-pci's ids option. */
  readonly ids: Set<string>;
}

export class PciBus {
  readonly states: ReadonlyMap<string, DeviceState>;
  readonly drivers = new Map<string, RegisteredDriver>();
  /** Counts changes, for what is derived from the bus. */
  version = 0;

  constructor(
    devices: readonly PciDevice[],
    /** Tells of bindings, for console and faults; a false keeps the driver from getting the device. */
    private readonly mayBind: (device: PciDevice, driver: string) => boolean,
    private readonly log: (line: string) => void,
  ) {
    this.states = new Map(devices.map((device) => [device.address, { device, driver: null, override: null }]));
    this.register({ name: 'pcieport', module: 'pcieportdrv', ids: new Set() });
  }

  register(driver: RegisteredDriver): void {
    if (this.drivers.has(driver.name)) return;
    this.drivers.set(driver.name, driver);
    for (const state of this.states.values()) if (state.driver === null) this.tryBind(state, driver);
    this.version += 1;
  }

  unregister(name: string): void {
    this.drivers.delete(name);
    for (const state of this.states.values()) if (state.driver === name) state.driver = null;
    this.version += 1;
  }

  setOverride(state: DeviceState, text: string): void {
    const value = text.trim();
    state.override = value === '' ? null : value;
    this.version += 1;
  }

  /** `echo ADDRESS > drivers_probe` */
  probe(address: string): void {
    const state = this.demand(address);
    if (state.driver === null) for (const driver of this.drivers.values()) if (this.tryBind(state, driver)) break;
    this.version += 1;
  }

  bind(driverName: string, address: string): void {
    const state = this.demand(address);
    const driver = this.drivers.get(driverName);
    if (driver === undefined || state.driver !== null || !this.matches(state, driver))
      throw new Error('ENODEV: No such device');
    this.tryBind(state, driver);
    this.version += 1;
  }

  unbind(driverName: string, address: string): void {
    const state = this.demand(address);
    if (state.driver !== driverName) throw new Error('ENODEV: No such device');
    state.driver = null;
    this.version += 1;
  }

  private demand(address: string): DeviceState {
    const state = this.states.get(address.trim());
    if (state === undefined) throw new Error('ENODEV: No such device');
    return state;
  }

  private matches(state: DeviceState, driver: RegisteredDriver): boolean {
    if (state.override !== null) return state.override === driver.name;
    return state.device.native?.driver === driver.name || driver.ids.has(state.device.id);
  }

  private tryBind(state: DeviceState, driver: RegisteredDriver): boolean {
    if (!this.matches(state, driver) || !this.mayBind(state.device, driver.name)) return false;
    state.driver = driver.name;
    this.log(`${driver.name} ${state.device.address}: enabling device (0000 -> 0002)`);
    return true;
  }
}
