#include "tests/unit/db/place.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/rng.h"
#include "db/handle.h"

static void begin(struct place *place)
{
    assert_ok(place, store_begin(place->store, &place->err));
}

static void commit(struct place *place)
{
    assert_ok(place, store_commit(place->store, &place->err));
}

static void put_one(struct place *place, const char *name)
{
    struct experiment run = run_named(name, 3);

    insert(place, &run);
}

static uint64_t count(struct place *place)
{
    return count_runs(place, place->store, NULL);
}

static struct store *open_reader(struct place *place)
{
    struct store *reader = NULL;

    assert_ok(place, store_open_reader(place->path, &reader, &place->err));
    return reader;
}

/* Transactions. */

static void what_is_committed_stays(void **state)
{
    begin(*state);
    put_one(*state, "a");
    commit(*state);
    place_reopen(*state);
    assert_int_equal(count(*state), 1);
}

static void what_is_rolled_back_is_gone(void **state)
{
    struct place *place = *state;

    begin(place);
    put_one(place, "a");
    store_rollback(place->store);
    assert_int_equal(count(place), 0);
    begin(place);
    commit(place);
}

static void what_is_open_at_close_is_rolled_back(void **state)
{
    begin(*state);
    put_one(*state, "a");
    place_reopen(*state);
    assert_int_equal(count(*state), 0);
}

static void undo_takes_back_to_the_mark_and_no_further(void **state)
{
    struct place *place = *state;

    begin(place);
    put_one(place, "before");
    assert_ok(place, store_mark(place->store, &place->err));
    put_one(place, "inside");
    store_undo(place->store);
    put_one(place, "after");
    assert_ok(place, store_mark(place->store, &place->err));
    put_one(place, "kept");
    assert_ok(place, store_release(place->store, &place->err));
    commit(place);
    assert_int_equal(count(place), 3);
    put_one(place, "inside"); /* its name is free */
}

static void an_item_that_fails_in_its_mark_leaves_the_others(void **state)
{
    struct place *place = *state;
    struct experiment taken = run_named("a", 2);
    enum put_outcome outcome;
    int64_t id;

    begin(place);
    put_one(place, "a");
    assert_ok(place, store_mark(place->store, &place->err));
    put_one(place, "b");
    assert_error(place, put(place, &taken, ON_CONFLICT_ERROR, &outcome, &id), ERR_CONFLICT);
    store_undo(place->store);
    put_one(place, "c");
    commit(place);
    assert_int_equal(count(place), 2);
}

static void verbs_of_several_statements_work_inside_a_mark(void **state)
{
    struct place *place = *state;
    const struct fit_record fit = {.study = "default", .law = "joint", .status = FIT_FINISHED};
    int64_t id;

    begin(place);
    put_one(place, "a");
    assert_ok(place, store_mark(place->store, &place->err));
    assert_ok(place, fit_put(place->store, &fit, &id, &place->err));
    assert_error(place, experiment_delete(place->store, 99, &place->err), ERR_EXPERIMENT_NOT_FOUND);
    assert_ok(place, experiment_delete(place->store, 1, &place->err));
    assert_ok(place, store_release(place->store, &place->err));
    commit(place);
    assert_int_equal(count(place), 0);
}

static void ping_answers(void **state)
{
    struct place *place = *state;
    struct store *reader = open_reader(place);

    assert_ok(place, store_ping(place->store, &place->err));
    assert_ok(place, store_ping(reader, &place->err));
    store_close(reader);
}

/* Readers. */

static void a_reader_sees_what_is_committed_and_no_more(void **state)
{
    struct place *place = *state;
    struct store *reader = open_reader(place);

    begin(place);
    put_one(place, "a");
    assert_int_equal(count_runs(place, reader, NULL), 0);
    commit(place);
    assert_int_equal(count_runs(place, reader, NULL), 1);
    store_close(reader);
}

static void a_reader_cannot_write(void **state)
{
    struct place *place = *state;
    struct store *reader = open_reader(place);

    assert_int_not_equal(handle_execute(reader, "DELETE FROM study", &place->err), ERR_OK);
    assert_int_not_equal(handle_execute(reader, "PRAGMA user_version = 9", &place->err), ERR_OK);
    store_close(reader);
    place_reopen(place);
}

static void a_reader_does_not_make_a_database(void **state)
{
    struct place *place = *state;
    struct store *reader = NULL;
    const char *path = place_path(place, "none.db");

    assert_error(place, store_open_reader(path, &reader, &place->err), ERR_INVALID);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_null(reader);
}

static void a_reader_never_folds_the_log_in(void **state)
{
    struct place *place = *state;
    struct store *reader = open_reader(place);
    const char *log = arena_printf(&place->arena, "%s-wal", place->path);
    struct stat before, after;

    put_one(place, "a");
    assert_int_equal(stat(place->path, &before), 0);
    assert_int_equal(count_runs(place, reader, NULL), 1);
    store_close(reader);
    assert_int_equal(stat(place->path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(stat(log, &after), 0);
    assert_true(after.st_size > 0);
}

struct watch {
    struct place *place;
    struct store *store;
    atomic_bool *stop;
    uint64_t looks;
    bool ok;
};

enum { BATCH = 7 };

/* Looks until told to stop: only whole batches, and never fewer than before. */
static void *watch(void *ctx)
{
    struct watch *watch = ctx;
    uint64_t last = 0, now;
    struct err err;

    err_init(&err, NULL);
    watch->ok = true;
    do {
        if (experiment_count(watch->store, NULL, &now, &err) != ERR_OK || now % BATCH || now < last)
            watch->ok = false;
        last = now;
        watch->looks++;
    } while (!atomic_load(watch->stop));
    return NULL;
}

static void two_readers_look_on_while_the_writer_writes(void **state)
{
    struct place *place = *state;
    struct watch watches[2];
    pthread_t threads[2];
    atomic_bool stop = false;

    for (int i = 0; i < 2; i++) {
        watches[i] = (struct watch){.place = place, .store = open_reader(place), .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, watch, &watches[i]), 0);
    }
    for (int batch = 0; batch < 200; batch++) {
        begin(place);
        for (int i = 0; i < BATCH; i++) {
            char name[32];

            snprintf(name, sizeof name, "b%d-%d", batch, i);
            put_one(place, name);
        }
        commit(place);
        if (batch % 50 == 0)
            assert_ok(place, store_checkpoint(place->store, &place->err));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        store_close(watches[i].store);
        assert_true(watches[i].ok);
        assert_true(watches[i].looks > 0);
    }
    assert_int_equal(count(place), 200 * BATCH);
}

static void a_checkpoint_puts_everything_into_the_main_file(void **state)
{
    struct place *place = *state;
    const char *copy = place_path(place, "main.db");
    char buffer[4096];
    struct store *store;
    size_t length;
    FILE *from, *to;

    put_one(place, "a");
    assert_ok(place, store_checkpoint(place->store, &place->err));
    from = fopen(place->path, "r");
    to = fopen(copy, "w");
    assert_true(from && to);
    while ((length = fread(buffer, 1, sizeof buffer, from)) > 0)
        assert_int_equal(fwrite(buffer, 1, length, to), length);
    fclose(from);
    fclose(to);
    assert_ok(place, store_open(copy, &store, &place->err)); /* without its log */
    assert_int_equal(count_runs(place, store, NULL), 1);
    store_close(store);
}

/* One writer. */

static void a_second_opener_is_refused_by_whatever_path(void **state)
{
    struct place *place = *state;
    const char *link = place_path(place, "link.db");
    const char *paths[] = {place->path, link,
                           arena_printf(&place->arena, "%s/../%s/moeplan.db", place->directory,
                                        strrchr(place->directory, '/') + 1)};
    struct store *second = NULL;

    assert_int_equal(symlink("moeplan.db", link), 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(store_open(paths[i], &second, &place->err), ERR_UNAVAILABLE);
        assert_non_null(strstr(place->err.detail, "another moeplan"));
        assert_null(second);
    }
    put_one(place, "a"); /* the first is unharmed */
    place_close(place);
    assert_ok(place, store_open(link, &place->store, &place->err));
    assert_int_equal(count(place), 1);
}

/* What store_open answers in a process of its own, as user `uid` unless it is 0. */
static enum err_code open_in_child(const char *path, uid_t uid, char detail[ERR_DETAIL_BYTES])
{
    struct answer {
        enum err_code code;
        char detail[ERR_DETAIL_BYTES];
    } answer = {.code = ERR_INTERNAL};
    int answers[2];
    pid_t child;

    assert_int_equal(pipe(answers), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = NULL;
        struct err err;

        err_init(&err, NULL);
        if (uid && setresuid(uid, uid, uid) != 0)
            _exit(1);
        answer.code = store_open(path, &store, &err);
        memcpy(answer.detail, err.detail, sizeof answer.detail);
        store_close(store);
        _exit(write(answers[1], &answer, sizeof answer) != sizeof answer);
    }
    assert_int_equal(read(answers[0], &answer, sizeof answer), sizeof answer);
    waitpid(child, NULL, 0);
    close(answers[0]);
    close(answers[1]);
    memcpy(detail, answer.detail, sizeof answer.detail);
    return answer.code;
}

static void another_process_is_refused_while_this_one_has_it(void **state)
{
    struct place *place = *state;
    char detail[ERR_DETAIL_BYTES];

    assert_int_equal(open_in_child(place->path, 0, detail), ERR_UNAVAILABLE);
    assert_non_null(strstr(detail, "another moeplan"));
    put_one(place, "a");
    place_close(place);
    assert_int_equal(open_in_child(place->path, 0, detail), ERR_OK);
}

/* What cannot be opened. */

static void a_missing_directory_is_said(void **state)
{
    struct place *place = *state;

    assert_int_equal(store_open(place_path(place, "none/x.db"), &place->store, &place->err),
                     ERR_INVALID);
    assert_non_null(strstr(place->err.detail, "directory does not exist"));
}

static void a_directory_is_no_database(void **state)
{
    struct place *place = *state;

    assert_int_equal(store_open(place->directory, &place->store, &place->err), ERR_INVALID);
    assert_non_null(strstr(place->err.detail, "directory"));
}

static void missing_permission_is_said(void **state)
{
    enum { NOBODY = 65534 };
    struct place *place = *state;
    const char *path = place_path(place, "x.db");
    char detail[ERR_DETAIL_BYTES];

    if (getuid() != 0)
        skip(); /* needs a second user */
    assert_int_equal(open_in_child(path, NOBODY, detail), ERR_INVALID);
    assert_non_null(strstr(detail, "no permission"));

    assert_ok(place, store_open(path, &place->store, &place->err));
    place_close(place);
    assert_int_equal(chmod(place->directory, 0777), 0);
    assert_int_equal(unlink(place_path(place, "x.db.lock")), 0);
    assert_int_equal(open_in_child(path, NOBODY, detail), ERR_INVALID); /* may read, not write */
    assert_non_null(strstr(detail, "no permission"));
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(unlink(place_path(place, "x.db.lock")), 0);
    assert_int_equal(open_in_child(path, NOBODY, detail), ERR_OK);
}

static void a_read_only_disk_is_said(void **state)
{
    struct place *place = *state;
    const char *disk = place_path(place, "disk");
    const char *path = place_path(place, "disk/x.db");
    int status;
    pid_t child;

    assert_int_equal(mkdir(disk, 0755), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* in a mount table of its own, gone with it */
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", disk, "tmpfs", MS_RDONLY, NULL) != 0)
            _exit(2);
        if (store_open(path, &place->store, &place->err) != ERR_INVALID)
            _exit(1);
        _exit(strstr(place->err.detail, "read-only") == NULL);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        skip(); /* may not mount */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_damaged_database_is_refused(void **state)
{
    struct place *place = *state;
    FILE *file;

    place_open(place);
    begin(place);
    for (int i = 0; i < 2000; i++) {
        char name[32];

        snprintf(name, sizeof name, "r%d", i);
        put_one(place, name);
    }
    commit(place);
    place_close(place);
    file = fopen(place->path, "r+");
    assert_non_null(file);
    for (long page = 8; page < 40; page++) {
        fseek(file, page * 4096 + 4, SEEK_SET);
        fputs("damage", file);
    }
    fclose(file);
    assert_int_equal(store_open(place->path, &place->store, &place->err), ERR_INTERNAL);
    assert_non_null(strstr(place->err.detail, "damaged"));
    assert_non_null(strstr(place->err.detail, place->path));
    assert_null(place->store);
}

static void every_setting_is_in_force(void **state)
{
    struct place *place = *state;
    struct store *reader = open_reader(place);
    const struct {
        struct store *store;
        const char *read, *want;
    } settings[] = {
        {place->store, "PRAGMA journal_mode", "wal"},
        {place->store, "PRAGMA synchronous", "2"},
        {place->store, "PRAGMA foreign_keys", "1"},
        {place->store, "PRAGMA trusted_schema", "0"},
        {place->store, "PRAGMA cell_size_check", "1"},
        {place->store, "PRAGMA mmap_size", "0"},
        {place->store, "PRAGMA busy_timeout", "5000"},
        {reader, "PRAGMA query_only", "1"},
        {reader, "PRAGMA trusted_schema", "0"},
        {reader, "PRAGMA cell_size_check", "1"},
        {reader, "PRAGMA mmap_size", "0"},
        {reader, "PRAGMA busy_timeout", "5000"},
    };
    static const int switches[][2] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_DQS_DDL, 0}, {SQLITE_DBCONFIG_DQS_DML, 0}};
    char answer[32];
    int on;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        assert_ok(place, handle_query(settings[i].store->db, settings[i].read, answer,
                                      sizeof answer, &place->err));
        assert_string_equal(answer, settings[i].want);
    }
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        sqlite3_db_config(place->store->db, switches[i][0], -1, &on);
        assert_int_equal(on, switches[i][1]);
        sqlite3_db_config(reader->db, switches[i][0], -1, &on);
        assert_int_equal(on, switches[i][1]);
    }
    sqlite3_db_config(reader->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &on);
    assert_int_equal(on, 1);
    store_close(reader);
}

static void foreign_keys_hold(void **state)
{
    struct place *place = *state;

    assert_int_not_equal(handle_execute(place->store,
                                        "INSERT INTO fit_coefficient VALUES (9, 0, 'a', 1)",
                                        &place->err),
                         ERR_OK);
}

/* Kill -9. A child commits batches of runs and tells of each only after the commit; whatever it
 * told of must be there, and no batch in part. */

enum { KILLS = 20, LARGEST_BATCH = 13 };

static int batch_size(long batch)
{
    return 1 + (int)(batch % LARGEST_BATCH);
}

static void write_until_killed(const char *path, long batch, int acknowledged)
{
    struct store *store;
    struct err err;

    err_init(&err, NULL);
    if (store_open(path, &store, &err) != ERR_OK)
        _exit(1);
    for (;; batch++) {
        if (store_begin(store, &err) != ERR_OK)
            _exit(1);
        for (int i = 0; i < batch_size(batch); i++) {
            char name[64];
            enum put_outcome outcome;
            int64_t id;
            struct experiment run;

            snprintf(name, sizeof name, "%ld-%d", batch, i);
            run = run_named(name, 3);
            if (experiment_put(store, &run, ON_CONFLICT_ERROR, &outcome, &id, &err) != ERR_OK)
                _exit(1);
        }
        if (store_commit(store, &err) != ERR_OK ||
            write(acknowledged, &batch, sizeof batch) != sizeof batch)
            _exit(1);
    }
}

struct tally {
    long next;  /* batch expected after the whole ones */
    int inside; /* runs seen of it */
    bool torn;
};

/* Runs come in the order written: each batch whole before the next begins. */
static bool count_batches(void *ctx, const struct experiment *run)
{
    struct tally *tally = ctx;
    char want[64];

    snprintf(want, sizeof want, "%ld-%d", tally->next, tally->inside);
    if (strcmp(run->name, want) != 0)
        tally->torn = true;
    if (++tally->inside == batch_size(tally->next)) {
        tally->next++;
        tally->inside = 0;
    }
    return !tally->torn;
}

static void no_acknowledged_run_is_lost_in_twenty_kills(void **state)
{
    struct place *place = *state;
    struct rng rng = rng_stream(5, 0);
    long last = -1, told = 0;

    for (int kills = 0; kills < KILLS; kills++) {
        struct tally tally = {0};
        int acknowledged[2];
        long batch;
        pid_t child;

        assert_int_equal(pipe(acknowledged), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed(place->path, last + 1, acknowledged[1]);
        close(acknowledged[1]);
        assert_int_equal(read(acknowledged[0], &batch, sizeof batch), sizeof batch);
        last = batch;
        usleep((useconds_t)rng_below(&rng, 20000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(acknowledged[0], &batch, sizeof batch) == sizeof batch) {
            last = batch;
            told++;
        }
        close(acknowledged[0]);

        place_open(place); /* checks the file */
        assert_ok(place, experiment_each(place->store, "default", NULL, 0, INT64_MAX, 0,
                                         count_batches, &tally, &place->err));
        place_close(place);
        assert_false(tally.torn);
        assert_int_equal(tally.inside, 0);
        assert_true(tally.next > last);
        last = tally.next - 1; /* one more may have been committed and not told */
    }
    assert_true(told > KILLS);
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, place_make_open, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_committed_stays),
        WITH_STORE(what_is_rolled_back_is_gone),
        WITH_STORE(what_is_open_at_close_is_rolled_back),
        WITH_STORE(undo_takes_back_to_the_mark_and_no_further),
        WITH_STORE(an_item_that_fails_in_its_mark_leaves_the_others),
        WITH_STORE(verbs_of_several_statements_work_inside_a_mark),
        WITH_STORE(ping_answers),
        WITH_STORE(a_reader_sees_what_is_committed_and_no_more),
        WITH_STORE(a_reader_cannot_write),
        WITH_STORE(a_reader_does_not_make_a_database),
        WITH_STORE(a_reader_never_folds_the_log_in),
        WITH_STORE(two_readers_look_on_while_the_writer_writes),
        WITH_STORE(a_checkpoint_puts_everything_into_the_main_file),
        WITH_STORE(a_second_opener_is_refused_by_whatever_path),
        WITH_STORE(another_process_is_refused_while_this_one_has_it),
        WITH_PLACE(a_missing_directory_is_said),
        WITH_PLACE(a_directory_is_no_database),
        WITH_PLACE(missing_permission_is_said),
        WITH_PLACE(a_read_only_disk_is_said),
        WITH_PLACE(a_damaged_database_is_refused),
        WITH_STORE(every_setting_is_in_force),
        WITH_STORE(foreign_keys_hold),
        WITH_PLACE(no_acknowledged_run_is_lost_in_twenty_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
