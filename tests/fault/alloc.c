#include "tests/fault/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h> /* the prototypes of what is replaced */

static _Thread_local struct {
    size_t count, at, live;
    bool onwards, failed;
} alloc_state;

/* Of all threads together; at is 0 when nothing is to fail. */
static struct {
    atomic_size_t count, at;
    atomic_bool failed;
} alloc_anywhere;

static void alloc_arm(size_t number, bool onwards)
{
    alloc_state.count = 0;
    alloc_state.at = number;
    alloc_state.onwards = onwards;
    alloc_state.failed = false;
}

void alloc_fail_at(size_t number)
{
    alloc_arm(number, false);
}

void alloc_fail_from(size_t number)
{
    alloc_arm(number, true);
}

void alloc_fail_anywhere(size_t number)
{
    alloc_arm(0, false);
    atomic_store(&alloc_anywhere.failed, false);
    atomic_store(&alloc_anywhere.count, 0);
    atomic_store(&alloc_anywhere.at, number);
}

void alloc_never_fail(void)
{
    bool failed = alloc_state.failed;
    size_t count = alloc_state.count;

    alloc_arm(0, false);
    alloc_state.failed = failed || atomic_exchange(&alloc_anywhere.failed, false);
    alloc_state.count = count;
    atomic_store(&alloc_anywhere.at, 0);
}

bool alloc_failed(void)
{
    return alloc_state.failed;
}

size_t alloc_count(void)
{
    return alloc_state.count;
}

size_t alloc_live(void)
{
    return alloc_state.live;
}

#if ALLOC_CAN_FAIL

void __libc_free(void *memory);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool alloc_refuses(void)
{
    size_t anywhere = atomic_load(&alloc_anywhere.at);

    if (anywhere != 0 && atomic_fetch_add(&alloc_anywhere.count, 1) + 1 == anywhere) {
        atomic_store(&alloc_anywhere.failed, true);
        errno = ENOMEM;
        return true;
    }
    if (alloc_state.at == 0)
        return false;
    alloc_state.count++;
    if (alloc_state.count != alloc_state.at &&
        !(alloc_state.onwards && alloc_state.count > alloc_state.at))
        return false;
    alloc_state.failed = true;
    errno = ENOMEM;
    return true;
}

static void *alloc_counted(void *memory)
{
    alloc_state.live += memory != NULL;
    return memory;
}

void *malloc(size_t size)
{
    return alloc_refuses() ? NULL : alloc_counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return alloc_refuses() ? NULL : alloc_counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    void *memory;

    if (alloc_refuses())
        return NULL;
    memory = __libc_realloc(old, size);
    if (!old)
        return alloc_counted(memory);
    alloc_state.live -= size == 0; /* glibc frees it then */
    return memory;
}

void free(void *memory)
{
    alloc_state.live -= memory != NULL;
    __libc_free(memory);
}

#endif
