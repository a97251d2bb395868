/**
 * The Redfish resources of an HGX H100 server's BMC, as far as power and logs go. The baseboard comes first and can be reset too:
 * whoever takes the first system, or the first that can be reset, resets the wrong one.
 * @module
 */
import type { ResetType } from './options.js';
import type { ReportedPower } from './power-sequencer.js';

export const PATHS = {
  root: '/redfish/v1/',
  sessions: '/redfish/v1/SessionService/Sessions',
  systems: '/redfish/v1/Systems',
  baseboard: '/redfish/v1/Systems/HGX_Baseboard_0',
  system: '/redfish/v1/Systems/System_0',
  reset: '/redfish/v1/Systems/System_0/Actions/ComputerSystem.Reset',
  baseboardReset: '/redfish/v1/Systems/HGX_Baseboard_0/Actions/ComputerSystem.Reset',
  resetInfo: '/redfish/v1/Systems/System_0/ResetActionInfo',
  logServices: '/redfish/v1/Systems/System_0/LogServices',
  auditLog: '/redfish/v1/Systems/System_0/LogServices/AuditLog',
  sel: '/redfish/v1/Systems/System_0/LogServices/SEL',
  selEntries: '/redfish/v1/Systems/System_0/LogServices/SEL/Entries',
} as const;

export interface SystemState {
  readonly serial: string;
  readonly model: string;
  readonly power: ReportedPower;
  readonly resetTypes: readonly ResetType[];
  readonly resetTypesAre: 'inline' | 'in-action-info';
  readonly log: readonly LogEntry[];
}

export interface LogEntry {
  readonly created: string;
  readonly message: string;
}

type Resource = Readonly<Record<string, unknown>>;

const link = (path: string): Resource => ({ '@odata.id': path });
const collection = (path: string, members: readonly Resource[]): Resource => ({
  '@odata.id': path,
  'Members@odata.count': members.length,
  Members: members,
});

/** Path to resource. What needs a login is everything but the root. */
export const RESOURCES: Readonly<Record<string, (state: SystemState) => Resource>> = {
  [PATHS.root]: () => ({
    ...link(PATHS.root),
    Id: 'RootService',
    RedfishVersion: '1.15.0',
    Systems: link(PATHS.systems),
    SessionService: link('/redfish/v1/SessionService'),
    Links: { Sessions: link(PATHS.sessions) },
  }),
  [PATHS.systems]: () => collection(PATHS.systems, [link(PATHS.baseboard), link(PATHS.system)]),
  [PATHS.baseboard]: () => ({
    ...link(PATHS.baseboard),
    Id: 'HGX_Baseboard_0',
    Model: 'HGX H100 8-GPU',
    SerialNumber: '1324623012345',
    PowerState: 'On',
    Actions: {
      '#ComputerSystem.Reset': {
        target: PATHS.baseboardReset,
        'ResetType@Redfish.AllowableValues': ['On', 'ForceOff', 'ForceRestart', 'GracefulRestart', 'PowerCycle'],
      },
    },
  }),
  [PATHS.system]: (state) => ({
    ...link(PATHS.system),
    Id: 'System_0',
    Model: state.model,
    SerialNumber: state.serial,
    SKU: null,
    PowerState: state.power,
    LogServices: link(PATHS.logServices),
    Actions: {
      '#ComputerSystem.Reset': {
        target: PATHS.reset,
        ...(state.resetTypesAre === 'inline'
          ? { 'ResetType@Redfish.AllowableValues': state.resetTypes }
          : { '@Redfish.ActionInfo': PATHS.resetInfo }),
      },
    },
  }),
  [PATHS.resetInfo]: (state) => ({
    ...link(PATHS.resetInfo),
    Id: 'ResetActionInfo',
    Parameters: [{ Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: state.resetTypes }],
  }),
  [PATHS.logServices]: () => collection(PATHS.logServices, [link(PATHS.auditLog), link(PATHS.sel)]),
  [PATHS.auditLog]: () => ({ ...link(PATHS.auditLog), Id: 'AuditLog', Entries: link(`${PATHS.auditLog}/Entries`) }),
  [PATHS.sel]: () => ({ ...link(PATHS.sel), Id: 'SEL', Entries: link(PATHS.selEntries) }),
  // Newest first, as some BMCs do.
  [PATHS.selEntries]: ({ log }) =>
    collection(
      PATHS.selEntries,
      log.toReversed().map((entry, index) => ({
        ...link(`${PATHS.selEntries}/${log.length - index}`),
        Id: String(log.length - index),
        Created: entry.created,
        Severity: 'OK',
        Message: entry.message,
        EntryType: 'SEL',
      })),
    ),
};
