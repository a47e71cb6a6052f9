/* experiments: rows of `experiment` to values and back. Declared in store.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "db/handle.h"
#include "db/tags.h"

/* A run and the one member that SQL sees in another form. */
struct record {
    struct experiment run;
    const char *tags; /* tags.h */
};

#define AT(member) offsetof(struct record, member)
static const struct column columns[] = {
    /* Which run it is. */
    {"id", COLUMN_INTEGER, AT(run.id), 0, NULL},
    {"study", COLUMN_TEXT, AT(run.study), 0, NULL},
    {"name", COLUMN_TEXT, AT(run.name), EXPERIMENT_NAME, NULL},
    /* Its content; from here on what has no bit is required of every request. */
    {"n_active", COLUMN_REAL, AT(run.obs.n_active), 0, NULL},
    {"tokens", COLUMN_REAL, AT(run.obs.tokens), 0, NULL},
    {"loss", COLUMN_REAL, AT(run.obs.loss), 0, NULL},
    {"experts", COLUMN_REAL, AT(run.obs.experts), EXPERIMENT_EXPERTS, NULL},
    {"granularity", COLUMN_REAL, AT(run.obs.granularity), EXPERIMENT_GRANULARITY, NULL},
    {"n_total", COLUMN_REAL, AT(run.obs.n_total), EXPERIMENT_N_TOTAL, NULL},
    {"train_flops", COLUMN_REAL, AT(run.obs.train_flops), EXPERIMENT_TRAIN_FLOPS, NULL},
    {"weight", COLUMN_REAL, AT(run.obs.weight), EXPERIMENT_WEIGHT, NULL},
    {"loss_stderr", COLUMN_REAL, AT(run.loss_stderr), EXPERIMENT_LOSS_STDERR, NULL},
    {"seed", COLUMN_OPTIONAL, AT(run.seed), EXPERIMENT_SEED, NULL},
    {"step", COLUMN_OPTIONAL, AT(run.step), EXPERIMENT_STEP, NULL},
    {"final", COLUMN_BOOL, AT(run.final), EXPERIMENT_FINAL, NULL},
    {"tags", COLUMN_TEXT, AT(tags), EXPERIMENT_TAGS, NULL},
    {"url", COLUMN_TEXT, AT(run.url), EXPERIMENT_URL, NULL},
    {"excluded", COLUMN_BOOL, AT(run.excluded), EXPERIMENT_EXCLUDED, NULL},
    {"excluded_reason", COLUMN_TEXT, AT(run.excluded_reason), EXPERIMENT_EXCLUDED_REASON, NULL},
    {"recorded_at", COLUMN_INTEGER, AT(run.recorded_at_us), EXPERIMENT_RECORDED_AT, NULL},
};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0], CONTENT_FROM = 3 };

const struct row_type experiment_row = {columns, COLUMN_COUNT, true, AT(run.present)};
#undef AT

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code make_record(struct store *store, const struct experiment *experiment,
                                 struct record *ret_record, struct err *err)
{
    ret_record->run = *experiment;
    arena_reset(&store->scratch);
    if (!tags_encode(experiment->tags, experiment->n_tags, &store->scratch, &ret_record->tags))
        return no_memory(err);
    return ERR_OK;
}

/* Decodes the tags of a record just read. */
static enum err_code finish_record(struct record *record, struct arena *arena, struct err *err)
{
    switch (tags_decode(record->tags, arena, &record->run.tags, &record->run.n_tags)) {
    case TAGS_OK:
        return ERR_OK;
    case TAGS_NO_MEMORY:
        return no_memory(err);
    case TAGS_DAMAGED:
        break;
    }
    return err_set(err, ERR_INTERNAL, "the tags of experiment %lld are damaged",
                   (long long)record->run.id);
}

/* Whether the request says something else than what is stored. Only what it carries counts; absent
 * agrees with absent. */
static bool differs(const struct column *column, const struct record *request,
                    const struct record *stored)
{
    if (column->bit && !(request->run.present & column->bit))
        return false;
    if (column->kind == COLUMN_OPTIONAL && !(stored->run.present & column->bit))
        return true;
    return !column_equal(column, request, stored);
}

static bool same_content(const struct record *request, const struct record *stored)
{
    for (size_t i = CONTENT_FROM; i < COLUMN_COUNT; i++)
        if (differs(&columns[i], request, stored))
            return false;
    return true;
}

static enum err_code conflict(const struct record *request, const struct record *stored,
                              struct err *err)
{
    char fields[256];
    size_t used = 0;

    fields[0] = '\0';
    for (size_t i = CONTENT_FROM; i < COLUMN_COUNT; i++)
        if (differs(&columns[i], request, stored)) {
            int length = snprintf(fields + used, sizeof fields - used, "%s%s", used ? ", " : "",
                                  columns[i].name);

            used += (size_t)length; /* all the names together fit */
        }
    return err_set(err, ERR_CONFLICT, "run %lld is stored with other %s under the name \"%s\"",
                   (long long)stored->run.id, fields, request->run.name);
}

/* What stands in the stored run's place. People's decision to exclude a run outlives new content,
 * unless the request decides anew; a reason goes with the exclusion it explains. */
static struct record replacement(const struct record *request, const struct record *stored)
{
    struct record record = *request;

    record.run.id = stored->run.id;
    if (!(request->run.present & EXPERIMENT_EXCLUDED))
        record.run.excluded = stored->run.excluded;
    if (!(request->run.present & EXPERIMENT_EXCLUDED_REASON))
        record.run.excluded_reason = record.run.excluded ? stored->run.excluded_reason : NULL;
    return record;
}

static enum err_code update(struct store *store, const struct record *record, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_EXPERIMENT_UPDATE);
    enum err_code code;

    stmt_bind_row(&stmt, record);
    code = stmt_run(&stmt, err);
    if (stmt.rc == SQLITE_CONSTRAINT_UNIQUE)
        return err_set(err, ERR_CONFLICT, "another run of the study has the name \"%s\"",
                       record->run.name);
    if (code == ERR_OK && stmt_changes(&stmt) == 0)
        return err_set(err, ERR_EXPERIMENT_NOT_FOUND, "there is no experiment %lld",
                       (long long)record->run.id);
    return code;
}

/* The name is taken: by the same content, or by other content that on_conflict decides about. */
static enum err_code put_over(struct store *store, const struct record *request, int64_t number,
                              enum on_conflict on_conflict, enum put_outcome *ret_outcome,
                              int64_t *ret_id, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_EXPERIMENT_FIND);
    enum put_outcome outcome = PUT_UNCHANGED;
    struct record stored = {0};
    bool found;
    enum err_code code;

    stmt_bind_row(&stmt, request);
    stmt_bind_integer(&stmt, ":number", number);
    found = stmt_step(&stmt);
    if (found)
        stmt_read_row(&stmt, &store->scratch, &stored);
    code = stmt_end(&stmt, err);
    if (code != ERR_OK)
        return code;
    if (!found)
        return err_set(err, ERR_INTERNAL, "run \"%s\" is stored and is not", request->run.name);
    if (!same_content(request, &stored)) {
        struct record record = replacement(request, &stored);

        if (on_conflict == ON_CONFLICT_ERROR)
            return conflict(request, &stored, err);
        outcome = on_conflict == ON_CONFLICT_IGNORE ? PUT_IGNORED : PUT_REPLACED;
        if (outcome == PUT_REPLACED)
            code = update(store, &record, err);
    }
    if (code == ERR_OK) {
        *ret_outcome = outcome;
        *ret_id = stored.run.id;
    }
    return code;
}

/* Inserts first and asks afterwards: most runs are new. Inside a transaction. */
static enum err_code put_inside(struct store *store, const struct experiment *experiment,
                                enum on_conflict on_conflict, enum put_outcome *ret_outcome,
                                int64_t *ret_id, struct err *err)
{
    struct record record;
    struct stmt stmt;
    int64_t number;
    enum err_code code = study_known(store, experiment->study, &number, err);

    if (code == ERR_OK)
        code = make_record(store, experiment, &record, err);
    if (code != ERR_OK)
        return code;
    record.run.id = store->given + 1;
    stmt = stmt_begin(store, STMT_EXPERIMENT_INSERT);
    stmt_bind_row(&stmt, &record);
    stmt_bind_integer(&stmt, ":number", number);
    code = stmt_run(&stmt, err);
    if (code != ERR_OK)
        return code;
    if (stmt_changes(&stmt) == 0)
        return put_over(store, &record, number, on_conflict, ret_outcome, ret_id, err);
    *ret_outcome = PUT_INSERTED;
    *ret_id = store->given = record.run.id;
    return ERR_OK;
}

enum err_code experiment_put(struct store *store, const struct experiment *experiment,
                             enum on_conflict on_conflict, enum put_outcome *ret_outcome,
                             int64_t *ret_id, struct err *err)
{
    enum put_outcome outcome = PUT_IGNORED;
    int64_t id = 0;
    bool nested;
    enum err_code code;

    if (store->in_transaction) /* no mark: each of its statements is whole by itself */
        return put_inside(store, experiment, on_conflict, ret_outcome, ret_id, err);
    code = scope_begin(store, &nested, err);
    if (code != ERR_OK)
        return code;
    code = put_inside(store, experiment, on_conflict, &outcome, &id, err);
    code = scope_end(store, nested, code, err);
    if (code == ERR_OK) {
        *ret_outcome = outcome;
        *ret_id = id;
    }
    return code;
}

enum err_code experiment_read(struct store *store, int64_t id, struct arena *arena,
                              struct experiment *ret_experiment, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_EXPERIMENT_READ);
    struct record record = {0};
    bool found;
    enum err_code code;

    stmt_bind_integer(&stmt, ":id", id);
    found = stmt_step(&stmt);
    if (found)
        stmt_read_row(&stmt, arena, &record);
    code = stmt_end(&stmt, err);
    if (code == ERR_OK && !found)
        return err_set(err, ERR_EXPERIMENT_NOT_FOUND, "there is no experiment %lld", (long long)id);
    if (code == ERR_OK)
        code = finish_record(&record, arena, err);
    if (code == ERR_OK)
        *ret_experiment = record.run;
    return code;
}

enum err_code experiment_update(struct store *store, const struct experiment *experiment,
                                struct err *err)
{
    struct record record;
    enum err_code code = make_record(store, experiment, &record, err);

    return code == ERR_OK ? update(store, &record, err) : code;
}

enum err_code experiment_delete(struct store *store, int64_t id, struct err *err)
{
    struct stmt stmt;
    bool nested;
    enum err_code code = scope_begin(store, &nested, err);

    if (code != ERR_OK)
        return code;
    stmt = stmt_begin(store, STMT_EXPERIMENT_REMEMBER);
    stmt_bind_integer(&stmt, ":id", id);
    code = stmt_run(&stmt, err);
    if (code == ERR_OK && stmt_changes(&stmt) == 0)
        code = err_set(err, ERR_EXPERIMENT_NOT_FOUND, "there is no experiment %lld", (long long)id);
    if (code == ERR_OK) {
        stmt = stmt_begin(store, STMT_EXPERIMENT_DELETE);
        stmt_bind_integer(&stmt, ":id", id);
        code = stmt_run(&stmt, err);
    }
    return scope_end(store, nested, code, err);
}

enum err_code experiment_each(struct store *store, const char *study, const struct filter *filter,
                              int64_t after, int64_t up_to, size_t limit,
                              bool (*row)(void *ctx, const struct experiment *run), void *ctx,
                              struct err *err)
{
    int64_t number, high_water;
    struct stmt stmt;
    size_t given = 0;
    enum err_code ended, code = study_number(store, study, &number, &high_water, err);

    if (code != ERR_OK)
        return code;
    stmt = stmt_begin(store, STMT_EXPERIMENT_EACH);
    stmt_bind_integer(&stmt, ":number", number);
    stmt_bind_integer(&stmt, ":after", after);
    stmt_bind_integer(&stmt, ":up_to", up_to);
    while (code == ERR_OK && (limit == 0 || given < limit) && stmt_step(&stmt)) {
        struct record record = {.run.study = study};

        arena_reset(&store->scratch);
        if (!stmt_read_row(&stmt, NULL, &record))
            break;
        code = finish_record(&record, &store->scratch, err);
        if (code != ERR_OK || !filter_match(filter, &record.run))
            continue;
        given++;
        if (!row(ctx, &record.run))
            break;
    }
    ended = stmt_end(&stmt, err);
    return code == ERR_OK ? ended : code;
}

/* The integer a statement about a study answers; 0 for NULL. */
static enum err_code ask(struct store *store, enum stmt_id id, const int64_t *study,
                         int64_t *ret_answer, struct err *err)
{
    struct stmt stmt = stmt_begin(store, id);
    int64_t answer = 0;
    enum err_code code;

    if (study)
        stmt_bind_integer(&stmt, ":study", *study);
    if (stmt_step(&stmt))
        answer = stmt_integer(&stmt, 0);
    code = stmt_end(&stmt, err);
    if (code == ERR_OK)
        *ret_answer = answer;
    return code;
}

enum err_code experiment_high_water(struct store *store, const char *study, int64_t *ret_id,
                                    struct err *err)
{
    int64_t number, high_water, last;
    enum err_code code = study_number(store, study, &number, &high_water, err);

    if (code == ERR_OK)
        code = ask(store, STMT_EXPERIMENT_LAST, &number, &last, err);
    if (code == ERR_OK)
        *ret_id = last > high_water ? last : high_water;
    return code;
}

enum err_code experiment_count(struct store *store, const char *study, uint64_t *ret_count,
                               struct err *err)
{
    int64_t number, high_water, count;
    enum err_code code = ERR_OK;

    if (study)
        code = study_number(store, study, &number, &high_water, err);
    if (code == ERR_OK)
        code = ask(store, study ? STMT_EXPERIMENT_COUNT : STMT_EXPERIMENT_COUNT_ALL,
                   study ? &number : NULL, &count, err);
    if (code == ERR_OK)
        *ret_count = (uint64_t)count;
    return code;
}
