#include "tests/fault/vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/rng.h"
#include "tests/fault/disk.h"

struct vfs {
    sqlite3_vfs base;
    sqlite3_vfs *real;
    struct rng rng;
    struct disk disk;
    uint64_t until_cut, until_failure; /* 0: never */
    bool cut, lasting, failed;
    uint64_t room_bytes;
};

struct file {
    sqlite3_file base;
    struct vfs *vfs;
    struct image *image; /* NULL for temporary files */
    sqlite3_file *real;
};

static struct vfs *of(sqlite3_vfs *base)
{
    return base->pAppData;
}

static struct file *as_file(sqlite3_file *base)
{
    return (struct file *)(void *)base;
}

/* Faults. */

/* Whether this operation must fail; `changes` for one that changes the disk. */
static bool fails(struct vfs *vfs, bool changes)
{
    if (vfs->cut)
        return true;
    if (changes && vfs->until_cut > 0 && --vfs->until_cut == 0) {
        vfs->cut = true;
        return true;
    }
    if (vfs->failed && vfs->lasting)
        return true;
    if (vfs->until_failure > 0 && --vfs->until_failure == 0) {
        vfs->failed = true;
        return true;
    }
    return false;
}

/* Files. */

static int file_close(sqlite3_file *base)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xClose(file->real);
}

static int file_read(sqlite3_file *base, void *bytes, int length, sqlite3_int64 offset)
{
    struct file *file = as_file(base);

    if (fails(file->vfs, false))
        return SQLITE_IOERR_READ;
    return file->real->pMethods->xRead(file->real, bytes, length, offset);
}

static int file_write(sqlite3_file *base, const void *bytes, int length, sqlite3_int64 offset)
{
    struct file *file = as_file(base);
    sqlite3_int64 size = 0, growth;
    int rc;

    if (fails(file->vfs, true)) {
        if (file->image && file->vfs->cut && rng_below(&file->vfs->rng, 2))
            image_write(file->image, (size_t)offset, bytes, (size_t)length); /* was under way */
        return SQLITE_IOERR_WRITE;
    }
    rc = file->real->pMethods->xFileSize(file->real, &size);
    if (rc != SQLITE_OK)
        return rc;
    growth = offset + length - size;
    if (growth > 0 && (uint64_t)growth > file->vfs->room_bytes)
        return SQLITE_FULL;
    rc = file->real->pMethods->xWrite(file->real, bytes, length, offset);
    if (rc != SQLITE_OK)
        return rc;
    if (growth > 0 && file->vfs->room_bytes != UINT64_MAX)
        file->vfs->room_bytes -= (uint64_t)growth;
    if (file->image)
        image_write(file->image, (size_t)offset, bytes, (size_t)length);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *file = as_file(base);
    int rc;

    if (fails(file->vfs, true))
        return SQLITE_IOERR_TRUNCATE;
    rc = file->real->pMethods->xTruncate(file->real, size);
    if (rc == SQLITE_OK && file->image)
        image_truncate(file->image, (size_t)size);
    return rc;
}

/* Costs nothing: the image is what counts, so the real file need not be synced. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct file *file = as_file(base);

    (void)flags;
    if (fails(file->vfs, true))
        return SQLITE_IOERR_FSYNC;
    if (file->image)
        disk_sync(&file->vfs->disk, file->image);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xFileSize(file->real, ret_size);
}

static int file_lock(sqlite3_file *base, int level)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xLock(file->real, level);
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xUnlock(file->real, level);
}

static int file_check_reserved_lock(sqlite3_file *base, int *ret_held)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xCheckReservedLock(file->real, ret_held);
}

static int file_control(sqlite3_file *base, int op, void *argument)
{
    struct file *file = as_file(base);

    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
        return SQLITE_OK; /* would grow the file behind the image's back */
    return file->real->pMethods->xFileControl(file->real, op, argument);
}

static int file_sector_size(sqlite3_file *base)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xSectorSize(file->real);
}

static int file_characteristics(sqlite3_file *base)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xDeviceCharacteristics(file->real);
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
    struct file *file = as_file(base);

    if (fails(file->vfs, false))
        return SQLITE_IOERR_SHMMAP;
    return file->real->pMethods->xShmMap(file->real, region, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xShmLock(file->real, offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
    struct file *file = as_file(base);

    file->real->pMethods->xShmBarrier(file->real);
}

static int file_shm_unmap(sqlite3_file *base, int delete)
{
    struct file *file = as_file(base);

    return file->real->pMethods->xShmUnmap(file->real, delete);
}

/* Version 2: shared memory, but no memory-mapped reads, which would go around it all. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* The file system. */

static int vfs_open_file(sqlite3_vfs *base, const char *path, sqlite3_file *ret_file, int flags,
                         int *ret_flags)
{
    struct vfs *vfs = of(base);
    struct file *file = as_file(ret_file);
    bool creates = path && (flags & SQLITE_OPEN_CREATE) && access(path, F_OK) != 0;
    int rc;

    ret_file->pMethods = NULL;
    if (fails(vfs, creates))
        return SQLITE_CANTOPEN;
    file->vfs = vfs;
    file->image = path ? disk_meet(&vfs->disk, path) : NULL;
    file->real = (sqlite3_file *)(void *)(file + 1);
    rc = vfs->real->xOpen(vfs->real, path, file->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        ret_file->pMethods = &methods;
    if (rc == SQLITE_OK && creates)
        image_create(file->image);
    return rc;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_directory)
{
    struct vfs *vfs = of(base);
    struct image *image = disk_find(&vfs->disk, path);
    int rc;

    if (fails(vfs, true))
        return SQLITE_IOERR_DELETE;
    rc = vfs->real->xDelete(vfs->real, path, 0);
    if (rc == SQLITE_OK && image)
        disk_delete(&vfs->disk, image, sync_directory);
    return rc;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *ret_result)
{
    return of(base)->real->xAccess(of(base)->real, path, flags, ret_result);
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int room, char *ret_path)
{
    return of(base)->real->xFullPathname(of(base)->real, path, room, ret_path);
}

static int vfs_randomness(sqlite3_vfs *base, int length, char *ret_bytes)
{
    for (int i = 0; i < length; i++) /* the log's salts: deterministic too */
        ret_bytes[i] = (char)rng_below(&of(base)->rng, 256);
    return length;
}

static int vfs_sleep(sqlite3_vfs *base, int microseconds)
{
    return of(base)->real->xSleep(of(base)->real, microseconds);
}

static int vfs_current_time(sqlite3_vfs *base, double *ret_days)
{
    return of(base)->real->xCurrentTime(of(base)->real, ret_days);
}

static int vfs_last_error(sqlite3_vfs *base, int room, char *ret_text)
{
    (void)base;
    (void)room;
    (void)ret_text;
    return 0; /* the system did not fail, this did */
}

struct vfs *vfs_open(const char *name, uint64_t seed)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    struct vfs *vfs = calloc(1, sizeof *vfs);

    if (!vfs || !real) {
        free(vfs);
        return NULL;
    }
    vfs->real = real;
    vfs->rng = rng_stream(seed, 0);
    vfs->room_bytes = UINT64_MAX;
    vfs->base = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct file) + real->szOsFile,
        .mxPathname = real->mxPathname,
        .zName = name,
        .pAppData = vfs,
        .xOpen = vfs_open_file,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_current_time,
        .xGetLastError = vfs_last_error,
    };
    sqlite3_vfs_register(&vfs->base, 0);
    return vfs;
}

void vfs_close(struct vfs *vfs)
{
    if (!vfs)
        return;
    sqlite3_vfs_unregister(&vfs->base);
    disk_release(&vfs->disk);
    free(vfs);
}

void vfs_cut_at(struct vfs *vfs, uint64_t n)
{
    vfs->until_cut = n;
}

bool vfs_is_cut(const struct vfs *vfs)
{
    return vfs->cut;
}

void vfs_restore(struct vfs *vfs)
{
    disk_lose_power(&vfs->disk, &vfs->rng);
    vfs->cut = false;
    vfs->until_cut = 0;
}

void vfs_fail_at(struct vfs *vfs, uint64_t n, bool lasting)
{
    vfs->until_failure = n;
    vfs->lasting = lasting;
    vfs->failed = false;
}

bool vfs_has_failed(const struct vfs *vfs)
{
    return vfs->failed;
}

void vfs_set_room(struct vfs *vfs, uint64_t bytes)
{
    vfs->room_bytes = bytes;
}
