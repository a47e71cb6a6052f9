/* place: where a store test lives: a directory of its own, a store in it, and runs to put there.
 *
 * Header only, for every test of db/. Failures end the test through cmocka.
 */
#ifndef MOEPLAN_TESTS_DB_PLACE_H
#define MOEPLAN_TESTS_DB_PLACE_H

#include "tests/unit/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/store.h"

struct place {
    char directory[64], path[96]; /* path: of the database */
    struct arena arena;
    struct err err;
    struct store *store; /* the writer; NULL while closed */
};

/* Fails with the store's own sentence. */
#define assert_ok(place, call) place_assert_ok((place), (call), #call, __FILE__, __LINE__)
#define assert_error(place, call, want)                                                            \
    place_assert_error((place), (call), (want), #call, __FILE__, __LINE__)

static inline void place_assert_ok(struct place *place, enum err_code code, const char *what,
                                   const char *file, int line)
{
    if (code == ERR_OK)
        return;
    print_error("%s: %s: %s\n", what, err_name(code), place->err.detail);
    _fail(file, line);
}

static inline void place_assert_error(struct place *place, enum err_code code, enum err_code want,
                                      const char *what, const char *file, int line)
{
    if (code != want) {
        print_error("%s is %s, want %s: %s\n", what, err_name(code), err_name(want),
                    place->err.detail);
        _fail(file, line);
    }
    assert_int_equal(place->err.code, want); /* the struct says what was returned */
    assert_true(strlen(place->err.detail) > 0);
    err_init(&place->err, NULL);
}

static inline void place_open(struct place *place)
{
    assert_null(place->store);
    assert_ok(place, store_open(place->path, &place->store, &place->err));
}

static inline void place_close(struct place *place)
{
    store_close(place->store);
    place->store = NULL;
}

static inline void place_reopen(struct place *place)
{
    place_close(place);
    place_open(place);
}

/* Setup for cmocka: an empty directory, no store in it yet. */
static inline int place_make(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    const char *parent = getenv("TMPDIR");

    assert_non_null(place);
    snprintf(place->directory, sizeof place->directory, "%.40s/moeplan-XXXXXX",
             parent && strlen(parent) <= 40 ? parent : "/tmp");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/moeplan.db", place->directory);
    arena_init(&place->arena, (size_t)1 << 30);
    err_init(&place->err, NULL);
    *state = place;
    return 0;
}

/* Setup: with a new store open. */
static inline int place_make_open(void **state)
{
    place_make(state);
    place_open(*state);
    return 0;
}

/* Teardown: everything gone. */
static inline int place_drop(void **state)
{
    struct place *place = *state;
    DIR *directory;
    struct dirent *entry;

    store_close(place->store);
    directory = opendir(place->directory);
    while (directory && (entry = readdir(directory))) {
        char path[512];

        snprintf(path, sizeof path, "%s/%s", place->directory, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(path) != 0)
            rmdir(path);
    }
    closedir(directory);
    rmdir(place->directory);
    arena_release(&place->arena);
    free(place);
    return 0;
}

/* "<directory>/<name>", in the place's arena. */
static inline const char *place_path(struct place *place, const char *name)
{
    const char *path = arena_printf(&place->arena, "%s/%s", place->directory, name);

    assert_non_null(path);
    return path;
}

/* A run of the default study as a request with only the required fields makes it. */
static inline struct experiment run_named(const char *name, double loss)
{
    return (struct experiment){
        .study = "default",
        .name = name,
        .obs = {.n_active = 1e9,
                .n_total = 1e9,
                .tokens = 2e10,
                .experts = 1,
                .granularity = 1,
                .loss = loss,
                .weight = 1,
                .train_flops = (double)NAN},
        .loss_stderr = (double)NAN,
        .final = true,
        .recorded_at_us = 1700000000000000,
        .present = EXPERIMENT_NAME,
    };
}

static inline enum err_code put(struct place *place, const struct experiment *run,
                                enum on_conflict on_conflict, enum put_outcome *ret_outcome,
                                int64_t *ret_id)
{
    return experiment_put(place->store, run, on_conflict, ret_outcome, ret_id, &place->err);
}

/* Puts a run that must be new; its id. */
static inline int64_t insert(struct place *place, const struct experiment *run)
{
    enum put_outcome outcome;
    int64_t id;

    assert_ok(place, put(place, run, ON_CONFLICT_ERROR, &outcome, &id));
    assert_int_equal(outcome, PUT_INSERTED);
    return id;
}

static inline struct experiment read_run(struct place *place, int64_t id)
{
    struct experiment run;

    assert_ok(place, experiment_read(place->store, id, &place->arena, &run, &place->err));
    return run;
}

static inline uint64_t count_runs(struct place *place, struct store *store, const char *study)
{
    uint64_t count;

    assert_ok(place, experiment_count(store, study, &count, &place->err));
    return count;
}

#endif
