/**
 * The parts of DMTF Redfish resources that are read here (DSP8010). BMCs leave out what they don't have, so everything is optional
 * and null counts as absent; what is there must have the right type.
 * @module
 */
import { z } from 'zod';

const text = z.string().nullish();
const link = z.object({ '@odata.id': z.string() });
const optionalLink = link.nullish();

export const ServiceRoot = z.object({
  Systems: link,
  Links: z.object({ Sessions: optionalLink }).nullish(),
});

/** More systems, logs or managers than any BMC has: each is asked for by itself, some at the same time. */
const MEMBER_LIMIT = 64;
const links = z.array(link).max(MEMBER_LIMIT);

/** Members may come in pages. */
export const Collection = z.object({ Members: links, 'Members@odata.nextLink': text });
export type Collection = z.infer<typeof Collection>;

const ResetAction = z.object({
  target: z.string(),
  'ResetType@Redfish.AllowableValues': z.array(z.string()).nullish(),
  '@Redfish.ActionInfo': text,
});

export const ComputerSystem = z.object({
  '@odata.id': z.string(),
  Id: text,
  SerialNumber: text,
  /** On Dell servers this is the service tag, which is what DMI calls the system's serial. */
  SKU: text,
  Model: text,
  PowerState: text,
  Actions: z.object({ '#ComputerSystem.Reset': ResetAction.nullish() }).nullish(),
  LogServices: optionalLink,
  Links: z.object({ ManagedBy: links.nullish() }).nullish(),
});
export type ComputerSystem = z.infer<typeof ComputerSystem>;

export const ActionInfo = z.object({
  Parameters: z.array(z.object({ Name: z.string(), AllowableValues: z.array(z.string()).nullish() })),
});

export const Manager = z.object({ LogServices: optionalLink });

export const LogService = z.object({ Id: text, Entries: optionalLink });

export const LogEntries = z.object({
  Members: z.array(z.object({ Created: text, Severity: text, Message: text })),
  'Members@odata.nextLink': text,
});

export type LogEntries = z.infer<typeof LogEntries>;

/** The body of an error, DSP0266 "Error responses". */
export const ErrorBody = z.object({
  error: z.object({
    message: text,
    '@Message.ExtendedInfo': z.array(z.object({ Message: text })).nullish(),
  }),
});
