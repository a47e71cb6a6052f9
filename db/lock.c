#include "db/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    int error;
    enum err_code code;
    const char *sentence;
} reasons[] = {
    {ENOENT, ERR_INVALID, "the directory does not exist"},
    {ENOTDIR, ERR_INVALID, "a part of the path is not a directory"},
    {EISDIR, ERR_INVALID, "it is a directory"},
    {ENAMETOOLONG, ERR_INVALID, "the path is too long"},
    {ELOOP, ERR_INVALID, "too many symbolic links"},
    {EACCES, ERR_INVALID, "no permission"},
    {EPERM, ERR_INVALID, "no permission"},
    {EROFS, ERR_INVALID, "the file system is read-only"},
    {EEXIST, ERR_CONFLICT, "it exists already"},
    {ENOSPC, ERR_STORAGE_FULL, "the disk is full"},
    {EDQUOT, ERR_STORAGE_FULL, "the disk quota is used up"},
    {ENOMEM, ERR_NO_MEMORY, "out of memory"},
    {EMFILE, ERR_UNAVAILABLE, "too many open files"},
    {ENFILE, ERR_UNAVAILABLE, "too many open files"},
};

enum err_code lock_fail(int error, const char *doing, const char *path, struct err *err)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].error == error)
            return err_set(err, reasons[i].code, "cannot %s %s: %s", doing, path,
                           reasons[i].sentence);
    return err_set(err, ERR_INTERNAL, "cannot %s %s: error number %d", doing, path, error);
}

enum err_code lock_sync_directory(const char *path, struct err *err)
{
    char *copy = strdup(path);
    enum err_code code = ERR_OK;
    int fd;

    if (!copy)
        return lock_fail(ENOMEM, "sync", path, err);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a directory and say EINVAL: nothing more can be done there. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        code = lock_fail(errno, "sync the directory of", path, err);
    if (fd >= 0)
        close(fd);
    free(copy);
    return code;
}

static enum err_code create(const char *path, struct err *err)
{
    /* O_EXCL: the file is new, so closing it drops no lock that SQLite holds in this process. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_INVALID,
                       "cannot create %s: it is a symbolic link to a file that does not exist",
                       path);
    if (fd < 0)
        return lock_fail(errno, "create", path, err);
    close(fd);
    return lock_sync_directory(path, err);
}

static enum err_code check_kind(const char *path, struct err *err)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return lock_fail(errno, "open", path, err);
    if (S_ISDIR(status.st_mode))
        return lock_fail(EISDIR, "open", path, err);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID, "cannot open %s: it is not a plain file", path);
    if (status.st_nlink > 1)
        return err_set(err, ERR_INVALID,
                       "cannot open %s: the file has %lu names (hard links), and its log would be "
                       "looked for under each apart; remove the others",
                       path, (unsigned long)status.st_nlink);
    return ERR_OK;
}

enum err_code lock_resolve(const char *path, bool create_missing, char **ret_path, struct err *err)
{
    char *resolved = realpath(path, NULL);
    enum err_code code = ERR_OK;

    if (!resolved && errno == ENOENT && create_missing) {
        code = create(path, err);
        if (code != ERR_OK)
            return code;
        resolved = realpath(path, NULL);
    }
    if (!resolved && errno == ENOENT)
        return err_set(err, ERR_INVALID, "cannot open %s: there is no such file", path);
    if (!resolved)
        return lock_fail(errno, "open", path, err);
    code = check_kind(resolved, err);
    if (code != ERR_OK) {
        free(resolved);
        return code;
    }
    *ret_path = resolved;
    return ERR_OK;
}

/* Who wrote itself into the lock file; 0 when nobody did. */
static long holder(int fd)
{
    char text[32];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return 0;
    text[length] = '\0';
    return strtol(text, NULL, 10); /* for the sentence only: anything else reads as 0 */
}

static void sign(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    /* The number only helps the one who is refused: that it cannot be written is no failure. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return;
}

enum err_code lock_take(const char *path, int *ret_fd, struct err *err)
{
    enum { SUFFIX_BYTES = 8 };
    size_t size = strlen(path) + SUFFIX_BYTES;
    char *name = malloc(size);
    enum err_code code = ERR_OK;
    int fd = -1;

    if (!name)
        return lock_fail(ENOMEM, "lock", path, err);
    snprintf(name, size, "%s.lock", path);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        code = lock_fail(errno, "create", name, err);
    } else if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        sign(fd);
        *ret_fd = fd;
    } else if (errno == EWOULDBLOCK) {
        code = err_set(err, ERR_UNAVAILABLE,
                       "%s is in use by another moeplan (process %ld); two cannot share a database",
                       path, holder(fd));
    } else {
        code = lock_fail(errno, "lock", name, err);
    }
    if (code != ERR_OK && fd >= 0)
        close(fd);
    free(name);
    return code;
}

void lock_drop(int fd)
{
    if (fd >= 0)
        close(fd);
}
