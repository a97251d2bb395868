/**
 * UUIDs of the file systems on the root disk.
 * @module
 */
export const ROOT_UUID = '6f1d7c0e-9d0b-4a0e-8a67-1f4d0c4b2b11';
export const EFI_UUID = '4A1C-9F02';
