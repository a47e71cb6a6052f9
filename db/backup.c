#include "db/backup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/handle.h"
#include "db/lock.h"

/* All pages in one step: the copy is of one moment, and commits meanwhile do not restart it. */
static enum err_code copy_pages(sqlite3 *from, sqlite3 *to, struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int rc = SQLITE_OK;

    if (backup) {
        rc = sqlite3_backup_step(backup, -1);
        sqlite3_backup_finish(backup);
        if (rc == SQLITE_DONE)
            return ERR_OK;
    }
    return handle_translate(to, rc == SQLITE_OK ? sqlite3_errcode(to) : rc, err);
}

/* The copy out of WAL mode, so that it is one file, and every page and index of it sound. */
static enum err_code check_copy(sqlite3 *db, struct err *err)
{
    char answer[256];
    enum err_code code;

    code = handle_query(db, schema_one_file, answer, sizeof answer, err);
    if (code == ERR_OK)
        code = handle_query(db, schema_check_all, answer, sizeof answer, err);
    if (code == ERR_OK && strcmp(answer, "ok") != 0)
        return err_set(err, ERR_INTERNAL, "the copy is damaged: %s", answer);
    return code;
}

static enum err_code write_copy(struct store *store, const char *path, struct err *err)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite3 *copy = NULL;
    int rc = sqlite3_open_v2(path, &copy, flags, store->vfs);
    enum err_code code;

    code = rc == SQLITE_OK ? copy_pages(store->db, copy, err) : handle_translate(copy, rc, err);
    if (code == ERR_OK)
        code = check_copy(copy, err);
    if (code != ERR_OK)
        err_prefix(err, "cannot write %s: ", path);
    sqlite3_close(copy);
    return code;
}

/* An empty file in place of what an attempt that was cut short may have left. */
static enum err_code create_empty(const char *path, struct err *err)
{
    int fd = -1;

    if (unlink(path) == 0 || errno == ENOENT)
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return lock_fail(errno, "create", path, err);
    close(fd);
    return ERR_OK;
}

/* Gives the finished copy its name, refusing an existing one in the same act: link, not rename. */
static enum err_code name_new(const char *temporary, const char *path, struct err *err)
{
    enum err_code code;

    if (link(temporary, path) != 0)
        return lock_fail(errno, "create", path, err);
    unlink(temporary);
    code = lock_sync_directory(path, err);
    if (code != ERR_OK) /* an answer that is no success leaves no copy */
        unlink(path);
    return code;
}

static enum err_code name_replacing(const char *temporary, const char *path, struct err *err)
{
    if (rename(temporary, path) != 0)
        return lock_fail(errno, "create", path, err);
    return lock_sync_directory(path, err);
}

/* Writes beside the final name, so that nobody takes half a copy for a whole one. */
static enum err_code make(struct store *store, const char *path,
                          enum err_code (*name)(const char *temporary, const char *path,
                                                struct err *err),
                          struct err *err)
{
    enum { SUFFIX_BYTES = 48 };
    size_t size = strlen(path) + SUFFIX_BYTES;
    char *temporary = malloc(size);
    enum err_code code;

    if (!temporary)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    snprintf(temporary, size, "%s.partial", path);
    code = create_empty(temporary, err);
    if (code == ERR_OK) {
        code = write_copy(store, temporary, err);
        if (code == ERR_OK)
            code = name(temporary, path, err);
        if (code != ERR_OK)
            unlink(temporary);
    }
    free(temporary);
    return code;
}

enum err_code backup_replace(struct store *store, const char *path, struct err *err)
{
    return make(store, path, name_replacing, err);
}

enum err_code store_backup(struct store *store, const char *path, struct err *err)
{
    struct stat status;

    assert(!store->in_transaction); /* what is not committed would be copied too */
    if (lstat(path, &status) == 0)  /* before the work; name_new asks again */
        return lock_fail(EEXIST, "create", path, err);
    return make(store, path, name_new, err);
}
