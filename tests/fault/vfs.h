/* vfs: a disk that fails on command, put under SQLite in tests.
 *
 * Wraps the system's VFS. It counts operations, can make the n-th fail, can be full, and can lose
 * power: from then on everything fails, and vfs_restore leaves the files as a real disk might hold
 * them (disk.h). What the directory holds under other names is not its business.
 *
 * One thread; deterministic for a seed. Shared memory and locks are the system's own.
 */
#ifndef MOEPLAN_TESTS_FAULT_VFS_H
#define MOEPLAN_TESTS_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

struct vfs;

/* Registers it under that name; NULL when out of memory. No database may be open at vfs_close. */
struct vfs *vfs_open(const char *name, uint64_t seed);
void vfs_close(struct vfs *vfs);

/* The power goes at the n-th write, truncation, sync, creation or deletion from now (1: the next).
 */
void vfs_cut_at(struct vfs *vfs, uint64_t n);
bool vfs_is_cut(const struct vfs *vfs);

/* After a cut, with every file closed: the files as the disk has them, and power again. */
void vfs_restore(struct vfs *vfs);

/* The n-th operation from now fails: any of the above, an open or a read; and, with `lasting`, all
 * that follow. 0 ends it. */
void vfs_fail_at(struct vfs *vfs, uint64_t n, bool lasting);
bool vfs_has_failed(const struct vfs *vfs); /* whether a failure was met since */

/* Files may grow by that many bytes in all before the disk is full; UINT64_MAX: without limit. */
void vfs_set_room(struct vfs *vfs, uint64_t bytes);

#endif
