/* What durability costs the store: many runs in one transaction against sqlite3's own .import of
 * the same rows and keys, and runs committed 64 at a time (as the writer does for 64 clients)
 * against one by one. Rows for run.py, medians of interleaved rounds. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/rng.h"
#include "db/store.h"

enum { ROUNDS = 5, BULK_ROWS = 100000, GROUP = 64, GROUPS = 100, SINGLES = 300, PATH_BYTES = 512 };

struct scene {
    char directory[PATH_BYTES];
    struct err err;
    char (*names)[24]; /* of the bulk rows */
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", what, err ? err->detail : "failed");
    exit(1);
}

static void path_of(const struct scene *scene, const char *name, char ret_path[PATH_BYTES])
{
    if (snprintf(ret_path, PATH_BYTES, "%s/%s", scene->directory, name) >= PATH_BYTES)
        die(name, NULL);
}

static void remove_database(const struct scene *scene)
{
    static const char *const names[] = {"bench.db", "bench.db-wal", "bench.db-shm",
                                        "bench.db.lock"};
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(scene, names[i], path);
        unlink(path);
    }
}

/* The same numbers for the store and for the file. */
static struct experiment run_at(const struct scene *scene, int i)
{
    static const struct tag tags[] = {{"router", "S-Base"}, {"team", "pretrain"}};

    return (struct experiment){
        .study = "default",
        .name = scene->names[i],
        .obs = {.n_active = 1e8 + i,
                .n_total = 2e9,
                .tokens = 1e10 + 3.0 * i,
                .experts = 8,
                .granularity = 1,
                .loss = 2.5 + 1e-6 * i,
                .weight = 1,
                .train_flops = (double)NAN},
        .loss_stderr = (double)NAN,
        .seed = i,
        .final = true,
        .recorded_at_us = 1700000000000000,
        .n_tags = 2,
        .tags = tags,
        .present = EXPERIMENT_NAME | EXPERIMENT_SEED | EXPERIMENT_TAGS,
    };
}

static struct store *open_store(struct scene *scene)
{
    char path[PATH_BYTES];
    struct store *store;

    path_of(scene, "bench.db", path);
    if (store_open(path, &store, &scene->err) != ERR_OK)
        die("store_open", &scene->err);
    return store;
}

static void put_rows(struct scene *scene, struct store *store, int from, int count)
{
    if (store_begin(store, &scene->err) != ERR_OK)
        die("store_begin", &scene->err);
    for (int i = from; i < from + count; i++) {
        struct experiment run = run_at(scene, i);
        enum put_outcome outcome;
        int64_t id;

        if (experiment_put(store, &run, ON_CONFLICT_ERROR, &outcome, &id, &scene->err) != ERR_OK)
            die("experiment_put", &scene->err);
        if (outcome != PUT_INSERTED)
            die("not inserted", NULL);
    }
    if (store_commit(store, &scene->err) != ERR_OK)
        die("store_commit", &scene->err);
}

static double bulk_s(struct scene *scene)
{
    double started = now_s();
    struct store *store = open_store(scene);

    put_rows(scene, store, 0, BULK_ROWS);
    store_close(store);
    return now_s() - started;
}

/* Seconds a row, committed `group` at a time. */
static double committed_s(struct scene *scene, int group, int groups)
{
    struct store *store = open_store(scene);
    double started = now_s(), took;

    for (int i = 0; i < groups; i++)
        put_rows(scene, store, i * group, group);
    took = now_s() - started;
    store_close(store);
    return took / (group * groups);
}

/* The rows as a file, in the order of the import's table. */
static void write_csv(const struct scene *scene)
{
    char path[PATH_BYTES];
    FILE *file;

    path_of(scene, "rows.csv", path);
    file = fopen(path, "w");
    if (!file)
        die(path, NULL);
    for (int i = 0; i < BULK_ROWS; i++) {
        struct experiment run = run_at(scene, i);

        fprintf(file,
                "%d,1,%s,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,,%.17g,,%" PRId64
                ",,1,\"{\"\"router\"\":\"\"S-Base\"\",\"\"team\"\":\"\"pretrain\"\"}\",,0,,%" PRId64
                "\n",
                i + 1, run.name, run.obs.n_active, run.obs.tokens, run.obs.loss, run.obs.experts,
                run.obs.granularity, run.obs.n_total, run.obs.weight, run.seed, run.recorded_at_us);
    }
    if (fclose(file) != 0)
        die(path, NULL);
}

/* .import writes texts where a STRICT table wants NULL, so its table has the columns and keys of
 * ours and none of its checks: in its favour. */
static double import_s(const struct scene *scene)
{
    static const char sql[] =
        ".bail on\n"
        "PRAGMA synchronous = FULL;\n"
        "CREATE TABLE experiment (id INTEGER PRIMARY KEY AUTOINCREMENT, study INTEGER NOT NULL,\n"
        " name TEXT NOT NULL, n_active REAL, tokens REAL, loss REAL, experts REAL,\n"
        " granularity REAL, n_total REAL, train_flops REAL, weight REAL, loss_stderr REAL,\n"
        " seed INTEGER, step INTEGER, final INTEGER, tags TEXT, url TEXT, excluded INTEGER,\n"
        " excluded_reason TEXT, recorded_at INTEGER, UNIQUE (study, name));\n"
        "CREATE INDEX experiment_by_study ON experiment (study);\n"
        ".import --csv rows.csv experiment\n";
    char command[PATH_BYTES + 64];
    double started = now_s();
    FILE *shell;

    snprintf(command, sizeof command, "cd '%s' && sqlite3 bench.db", scene->directory);
    shell = popen(command, "w");
    if (!shell || fputs(sql, shell) < 0 || pclose(shell) != 0)
        die("sqlite3", NULL);
    return now_s() - started;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static void row(const char *what, const char *against, double ratios[ROUNDS], const char *goal)
{
    printf("{\"what\": \"%s\", \"against\": \"%s\", \"ratio\": %.4g, \"goal\": %s}\n", what,
           against, median(ratios), goal);
}

static void measure(struct scene *scene)
{
    double bulk[ROUNDS], import[ROUNDS], group[ROUNDS], single[ROUNDS];
    double against_import[ROUNDS], against_single[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        bulk[i] = bulk_s(scene);
        remove_database(scene);
        import[i] = import_s(scene);
        remove_database(scene);
        group[i] = committed_s(scene, GROUP, GROUPS);
        remove_database(scene);
        single[i] = committed_s(scene, 1, SINGLES);
        remove_database(scene);
        against_import[i] = import[i] / bulk[i];
        against_single[i] = single[i] / group[i];
    }
    printf("%d rows: store %.3f s, .import %.3f s\n", BULK_ROWS, median(bulk), median(import));
    printf("durable rows a second: %.0f by %d, %.0f by one\n", 1 / median(group), GROUP,
           1 / median(single));
    row("100 000 runs put in one transaction, from memory",
        "sqlite3 .import of the same rows and keys", against_import, "\">= 1.0\"");
    row("runs committed 64 at a time", "one by one", against_single, "null");
}

int main(void)
{
    const char *build = getenv("MOEPLAN_BUILD");
    struct rng rng = rng_stream(3, 0);
    struct scene scene;
    char path[PATH_BYTES];

    err_init(&scene.err, NULL);
    snprintf(scene.directory, sizeof scene.directory, "%.400s/store-XXXXXX", build ? build : ".");
    scene.names = calloc(BULK_ROWS, sizeof *scene.names);
    if (!scene.names || !mkdtemp(scene.directory))
        die("a place to work in", NULL);
    for (int i = 0; i < BULK_ROWS; i++) /* like hashes: scattered over the index */
        snprintf(scene.names[i], sizeof scene.names[i], "run-%016" PRIx64, rng_next(&rng));
    write_csv(&scene);
    measure(&scene);
    path_of(&scene, "rows.csv", path);
    unlink(path);
    rmdir(scene.directory);
    free(scene.names);
    return 0;
}
