/* studies: rows of `study` to values and back. Declared in store.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "db/handle.h"

static const char *loss_unit_at(unsigned value)
{
    return loss_unit_name((enum loss_unit)value);
}

static const char *parameter_convention_at(unsigned value)
{
    return parameter_convention_name((enum parameter_convention)value);
}

#define AT(member) offsetof(struct study, member)
static const struct column columns[] = {
    {"id", COLUMN_TEXT, AT(id), 0, NULL},
    {"description", COLUMN_TEXT, AT(description), 0, NULL},
    {"eval_set", COLUMN_TEXT, AT(eval_set), 0, NULL},
    {"tokenizer", COLUMN_TEXT, AT(tokenizer), 0, NULL},
    {"loss_unit", COLUMN_CHOICE, AT(loss_unit), 0, loss_unit_at},
    {"parameter_convention", COLUMN_CHOICE, AT(parameter_convention), 0, parameter_convention_at},
    {"default_fit", COLUMN_TEXT, AT(default_fit), 0, NULL},
    {"created_at", COLUMN_INTEGER, AT(created_at_us), 0, NULL},
    {"updated_at", COLUMN_INTEGER, AT(updated_at_us), 0, NULL},
};
#undef AT

const struct row_type study_row = {columns, sizeof columns / sizeof columns[0], false, 0};

static enum err_code not_found(const char *id, struct err *err)
{
    return err_set(err, ERR_STUDY_NOT_FOUND, "there is no study '%s'", id);
}

enum err_code study_number(struct store *store, const char *id, int64_t *ret_number,
                           int64_t *ret_high_water, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_STUDY_NUMBER);
    bool found;
    enum err_code code;

    stmt_bind_text(&stmt, ":id", id);
    found = stmt_step(&stmt);
    if (found) {
        *ret_number = stmt_integer(&stmt, 0);
        *ret_high_water = stmt_integer(&stmt, 1);
    }
    code = stmt_end(&stmt, err);
    return code != ERR_OK || found ? code : not_found(id, err);
}

enum err_code study_known(struct store *store, const char *id, int64_t *ret_number, struct err *err)
{
    int64_t number = 0, high_water;
    size_t length = strlen(id);
    enum err_code code;

    if (store->known_study.number && strcmp(store->known_study.id, id) == 0) {
        *ret_number = store->known_study.number;
        return ERR_OK;
    }
    code = study_number(store, id, &number, &high_water, err);
    if (code != ERR_OK)
        return code;
    if (length < sizeof store->known_study.id) {
        memcpy(store->known_study.id, id, length + 1);
        store->known_study.number = number;
    }
    *ret_number = number;
    return ERR_OK;
}

/* A default_fit in digits must be a fit that exists; names of presets are not the store's. */
static enum err_code check_default_fit(struct store *store, const char *fit, struct err *err)
{
    struct stmt stmt;
    bool found;
    enum err_code code;

    if (!fit || !isdigit((unsigned char)fit[0]))
        return ERR_OK;
    stmt = stmt_begin(store, STMT_FIT_NAMED);
    stmt_bind_text(&stmt, ":name", fit);
    found = stmt_step(&stmt);
    code = stmt_end(&stmt, err);
    if (code == ERR_OK && !found)
        return err_set(err, ERR_FIT_NOT_FOUND, "there is no fit %s", fit);
    return code;
}

enum err_code study_put(struct store *store, const struct study *study, bool *ret_created,
                        struct err *err)
{
    struct stmt stmt;
    bool created;
    enum err_code code = check_default_fit(store, study->default_fit, err);

    if (code != ERR_OK)
        return code;
    stmt = stmt_begin(store, STMT_STUDY_INSERT);
    stmt_bind_row(&stmt, study);
    code = stmt_run(&stmt, err);
    if (code != ERR_OK)
        return code;
    created = stmt_changes(&stmt) == 1;
    if (!created) {
        stmt = stmt_begin(store, STMT_STUDY_REPLACE);
        stmt_bind_row(&stmt, study);
        code = stmt_run(&stmt, err);
    }
    if (code == ERR_OK)
        *ret_created = created;
    return code;
}

enum err_code study_read(struct store *store, const char *id, struct arena *arena,
                         struct study *ret_study, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_STUDY_READ);
    struct study study;
    bool found;
    enum err_code code;

    stmt_bind_text(&stmt, ":id", id);
    found = stmt_step(&stmt);
    if (found)
        stmt_read_row(&stmt, arena, &study);
    code = stmt_end(&stmt, err);
    if (code != ERR_OK)
        return code;
    if (!found)
        return not_found(id, err);
    *ret_study = study;
    return ERR_OK;
}

enum err_code study_list(struct store *store, const char *after, size_t limit, struct arena *arena,
                         struct study **ret_studies, size_t *ret_count, struct err *err)
{
    enum { FIRST_ROOM = 16 };
    struct study *studies = NULL;
    size_t count = 0, room = 0;
    struct stmt stmt = stmt_begin(store, STMT_STUDY_LIST);
    enum err_code code;

    stmt_bind_text(&stmt, ":after", after ? after : "");
    stmt_bind_integer(&stmt, ":limit", limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    while (stmt_step(&stmt)) {
        if (count == room) {
            struct study *more;

            room = room ? 2 * room : FIRST_ROOM;
            more = arena_calloc(arena, room, sizeof *more);
            if (!more) {
                stmt_fail(&stmt, SQLITE_NOMEM);
                break;
            }
            if (count > 0)
                memcpy(more, studies, count * sizeof *more);
            studies = more;
        }
        if (stmt_read_row(&stmt, arena, &studies[count]))
            count++;
    }
    code = stmt_end(&stmt, err);
    if (code != ERR_OK)
        return code;
    *ret_studies = studies;
    *ret_count = count;
    return ERR_OK;
}

/* Whether a statement about a study has a row: STUDY_HOLDS, STUDY_LENDS_FIT. */
static enum err_code ask(struct store *store, enum stmt_id id, int64_t number, bool *ret_answer,
                         struct err *err)
{
    struct stmt stmt = stmt_begin(store, id);
    bool answer;
    enum err_code code;

    stmt_bind_integer(&stmt, ":study", number);
    answer = stmt_step(&stmt);
    code = stmt_end(&stmt, err);
    if (code == ERR_OK)
        *ret_answer = answer;
    return code;
}

static enum err_code check_deletable(struct store *store, const char *id, int64_t number,
                                     bool force, struct err *err)
{
    bool holds, lends;
    enum err_code code;

    code = ask(store, STMT_STUDY_HOLDS, number, &holds, err);
    if (code == ERR_OK && holds && !force)
        return err_set(err, ERR_STUDY_NOT_EMPTY, "study \"%s\" holds experiments", id);
    if (code == ERR_OK)
        code = ask(store, STMT_STUDY_LENDS_FIT, number, &lends, err);
    if (code == ERR_OK && lends)
        return err_set(err, ERR_FIT_IN_USE,
                       "a fit of study \"%s\" is the default_fit of another study", id);
    return code;
}

static enum err_code run_on(struct store *store, enum stmt_id id, int64_t number, struct err *err)
{
    struct stmt stmt = stmt_begin(store, id);

    stmt_bind_integer(&stmt, ":study", number);
    return stmt_run(&stmt, err);
}

enum err_code study_delete(struct store *store, const char *id, bool force, struct err *err)
{
    int64_t number = 0, high_water = 0;
    bool nested = false;
    enum err_code code;

    if (strcmp(id, "default") == 0)
        return err_set(err, ERR_READ_ONLY, "the study \"default\" stays");
    code = study_number(store, id, &number, &high_water, err);
    if (code == ERR_OK)
        code = check_deletable(store, id, number, force, err);
    if (code == ERR_OK)
        code = scope_begin(store, &nested, err);
    if (code != ERR_OK)
        return code;
    store->known_study.number = 0;
    code = run_on(store, STMT_STUDY_EMPTY, number, err);
    if (code == ERR_OK)
        code = run_on(store, STMT_STUDY_DELETE, number, err);
    return scope_end(store, nested, code, err);
}
