/** The numbers of linux/magic.h: ext, XFS, Btrfs, ZFS, F2FS, bcachefs, tmpfs, overlayfs. */
export const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0xf2f52010, 0xca451a4e, 0x01021994, 0x794c7630,
]);
