#include "server/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/run_fields.h"
#include "server/utf8.h"
#include "server/warning.h"

struct run_row run_absent(int64_t now_us)
{
    return (struct run_row){
        .run = {.obs = {.n_active = NAN,
                        .n_total = NAN,
                        .tokens = NAN,
                        .experts = 1,
                        .granularity = 1,
                        .loss = NAN,
                        .weight = 1,
                        .train_flops = NAN},
                .loss_stderr = NAN,
                .final = true,
                .recorded_at_us = now_us},
    };
}

enum err_code run_from_json(const struct json *object, const char *base, struct run_row *row,
                            struct arena *arena, struct err *err)
{
    enum err_code code;

    if (json_kind(object) != JSON_OBJECT)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, base, 0, "must be an object, not %s",
                       json_kind_name(json_kind(object)));
    code = field_from_json(experiment_fields, EXPERIMENT_FIELDS, object, base, NULL, NULL,
                           &row->run, &row->presence, arena, err);
    row->run.present = run_bits(row->presence.given);
    row->faulty = code != ERR_OK;
    return code;
}

static const char *site_name(const struct run_site *site, const char *field, struct arena *arena)
{
    const char *name =
        site->place == ERR_AT_CELL ? field : json_pointer_key(arena, site->base, field);

    return name != NULL ? name : "";
}

enum err_code run_report(const struct run_site *site, enum err_code code, const char *field,
                         const char *detail, struct arena *arena, struct err *err)
{
    return err_add(err, code, site->place, site_name(site, field, arena),
                   site->place == ERR_AT_CELL ? site->row : 0, "%s", detail);
}

/* What the rules of core/obs report into. */
struct judge {
    const struct run_row *row;
    const struct run_site *site;
    struct run_warnings *warnings;
    struct arena *arena;
    struct err *err;
};

static void judge_fault(void *ctx, const char *field, const char *detail)
{
    struct judge *judge = ctx;
    const char *name = site_name(judge->site, field, judge->arena);

    if (judge->row->faulty && judge->err->n_dropped > 0)
        return; /* it may be among those no longer listed */
    for (const struct err_field *at = judge->err->first; at != NULL; at = at->next)
        if (at->place == judge->site->place && at->row == judge->site->row &&
            strcmp(at->name, name) == 0)
            return;
    run_report(judge->site, ERR_INVALID, field, detail, judge->arena, judge->err);
}

static void judge_slip(void *ctx, const char *field, const char *detail)
{
    struct judge *judge = ctx;
    struct run_warnings *warnings = judge->warnings;
    struct run_warning *warning;

    if (warnings->count++ >= RUN_WARNINGS_MAX)
        return;
    warning = arena_alloc(judge->arena, sizeof *warning);
    if (warning == NULL) {
        err_set(judge->err, ERR_NO_MEMORY, "out of memory");
        return;
    }
    *warning = (struct run_warning){.place = judge->site->place,
                                    .name = site_name(judge->site, field, judge->arena),
                                    .row = judge->site->row,
                                    .detail = detail};
    if (warnings->last != NULL)
        warnings->last->next = warning;
    else
        warnings->first = warning;
    warnings->last = warning;
    warnings->kept++;
}

/* scheme ":" and no blanks or control bytes. Schemes that run in a page are refused: the link is
 * shown where people click. */
static bool url_is_valid(const char *url)
{
    static const char *const refused[] = {"javascript:", "data:", "vbscript:"};
    size_t scheme =
        strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    if (scheme == 0 || url[scheme] != ':' || url[scheme + 1] == '\0')
        return false;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strncasecmp(url, refused[i], strlen(refused[i])) == 0)
            return false;
    for (; *url != '\0'; url++)
        if ((unsigned char)*url <= ' ' || *url == 0x7f)
            return false;
    return true;
}

static void drop_null_tags(struct experiment *run)
{
    struct tag *tags = (struct tag *)run->tags; /* ours: made by the decoders above */
    size_t kept = 0;

    for (size_t i = 0; i < run->n_tags; i++)
        if (tags[i].value != NULL)
            tags[kept++] = tags[i];
    run->n_tags = kept;
}

enum err_code run_finish(struct run_row *row, const struct run_site *site,
                         struct run_warnings *warnings, struct arena *arena, struct err *err)
{
    struct experiment *run = &row->run;
    struct judge judge = {row, site, warnings, arena, err};
    size_t before = err->n_fields + err->n_dropped;

    drop_null_tags(run);
    if (isnan(run->obs.n_total) && run->obs.experts == 1)
        run->obs.n_total = run->obs.n_active;
    if (run->name != NULL && utf8_count(run->name, strlen(run->name)) > NAME_MAX_CHARS)
        judge_fault(&judge, "name", "has at most 200 characters");
    if (run->url != NULL && !url_is_valid(run->url))
        judge_fault(&judge, "url", "must be a link: https://…");
    obs_check(&run->obs, judge_fault, &judge);
    if (err->code != ERR_OK)
        return before == err->n_fields + err->n_dropped ? ERR_OK : err->code;
    if (run->name == NULL) {
        char *name = arena_alloc(arena, EXPERIMENT_DEFAULT_NAME_BYTES);
        if (name == NULL)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        experiment_default_name(run, name);
        run->name = name;
    }
    if (warnings != NULL)
        obs_suspect(&run->obs, judge_slip, &judge);
    return err->code;
}

/* Tags of `stored` with those of the patch set, or dropped where it has null. */
static enum err_code merge_tags(struct experiment *run, const struct experiment *stored,
                                struct arena *arena, struct err *err)
{
    struct tag *tags = arena_calloc(arena, run->n_tags + stored->n_tags + 1, sizeof *tags);
    size_t count = 0;

    if (tags == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < run->n_tags; i++)
        tags[count++] = run->tags[i];
    for (size_t i = 0; i < stored->n_tags; i++) {
        bool named = false;
        for (size_t k = 0; k < run->n_tags; k++)
            named |= strcmp(run->tags[k].name, stored->tags[i].name) == 0;
        if (!named)
            tags[count++] = stored->tags[i];
    }
    run_set_tags(run, tags, count);
    drop_null_tags(run);
    if (run->n_tags > TAGS_MAX)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, "/tags", 0, "at most %d tags", TAGS_MAX);
    return ERR_OK;
}

static bool same_double(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_tags(const struct experiment *a, const struct experiment *b)
{
    if (a->n_tags != b->n_tags)
        return false;
    for (size_t i = 0; i < a->n_tags; i++)
        if (!same_text(a->tags[i].name, b->tags[i].name) ||
            !same_text(a->tags[i].value, b->tags[i].value))
            return false;
    return true;
}

static bool same_field(const struct experiment *a, const struct experiment *b, size_t index)
{
    const struct field *field = &experiment_fields[index];
    const void *of_a = (const char *)a + field->offset, *of_b = (const char *)b + field->offset;

    switch (field->kind) {
    case FIELD_NUMBER:
    case FIELD_COUNT:
        return same_double(*(const double *)of_a, *(const double *)of_b);
    case FIELD_INTEGER:
    case FIELD_TIME:
        return run_has(b, index) && *(const int64_t *)of_a == *(const int64_t *)of_b;
    case FIELD_BOOL:
        return *(const bool *)of_a == *(const bool *)of_b;
    case FIELD_TEXT:
        return same_text(*(const char *const *)of_a, *(const char *const *)of_b);
    default:
        return same_tags(a, b);
    }
}

bool run_same_content(const struct experiment *later, const struct experiment *earlier)
{
    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++) {
        bool said = experiment_fields[i].required || (run_bits(UINT64_C(1) << i) & later->present);

        if (said && !same_field(later, earlier, i))
            return false;
    }
    return true;
}

/* Copies the value of one field between runs. */
static void copy_field(struct experiment *to, const struct experiment *from, size_t index)
{
    static const size_t sizes[] = {
        [FIELD_NUMBER] = sizeof(double),   [FIELD_COUNT] = sizeof(double),
        [FIELD_INTEGER] = sizeof(int64_t), [FIELD_BOOL] = sizeof(bool),
        [FIELD_TEXT] = sizeof(char *),     [FIELD_TIME] = sizeof(int64_t)};
    const struct field *field = &experiment_fields[index];

    if (field->kind == FIELD_CUSTOM) {
        to->n_tags = from->n_tags;
        to->tags = from->tags;
        return;
    }
    memcpy((char *)to + field->offset, (const char *)from + field->offset, sizes[field->kind]);
}

enum err_code run_patch(struct run_row *patched, const struct experiment *stored, int64_t now_us,
                        struct arena *arena, struct err *err)
{
    const struct run_row absent = run_absent(now_us);
    struct experiment *run = &patched->run;
    uint64_t named = patched->presence.given | patched->presence.nulls;
    enum err_code code = ERR_OK;

    if (run_bits(patched->presence.given) & EXPERIMENT_TAGS)
        code = merge_tags(run, stored, arena, err);
    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++) {
        if (patched->presence.nulls >> i & 1)
            copy_field(run, &absent.run, i);
    }
    /* What was only the default follows what it was derived from. */
    if (!(run_bits(named) & EXPERIMENT_N_TOTAL) && stored->obs.experts == 1 &&
        stored->obs.n_total == stored->obs.n_active)
        run->obs.n_total = NAN;
    run->present =
        (stored->present | run_bits(patched->presence.given)) & ~run_bits(patched->presence.nulls);
    return code;
}

static void write_tags(struct out *out, const struct experiment *run)
{
    out_object_begin(out, "tags");
    for (size_t i = 0; i < run->n_tags; i++)
        out_text(out, run->tags[i].name, run->tags[i].value);
    out_object_end(out);
}

void run_write_members(struct out *out, const struct experiment *run)
{
    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++) {
        const struct field *field = &experiment_fields[i];
        const void *at = (const char *)run + field->offset;

        switch (field->kind) {
        case FIELD_NUMBER:
        case FIELD_COUNT:
            out_number(out, field->name, *(const double *)at);
            break;
        case FIELD_INTEGER:
            if (run_has(run, i))
                out_integer(out, field->name, *(const int64_t *)at);
            else
                out_null(out, field->name);
            break;
        case FIELD_BOOL:
            out_bool(out, field->name, *(const bool *)at);
            break;
        case FIELD_TEXT:
            out_text(out, field->name, *(const char *const *)at);
            break;
        case FIELD_TIME:
            out_time(out, field->name, *(const int64_t *)at);
            break;
        default:
            write_tags(out, run);
        }
    }
}

void run_write_json(struct out *out, const struct experiment *run)
{
    out_object_begin(out, NULL);
    run_write_members(out, run);
    out_object_end(out);
}

void run_write_warnings(struct out *out, const struct run_warnings *warnings)
{
    out_array_begin(out, "warnings");
    for (const struct run_warning *at = warnings->first; at != NULL; at = at->next) {
        out_object_begin(out, NULL);
        if (at->place == ERR_AT_CELL) {
            out_integer(out, "row", (int64_t)at->row);
            out_text(out, "column", at->name);
        } else {
            out_text(out, "pointer", at->name);
        }
        out_text(out, "code", "looks_like_a_slip");
        out_text(out, "detail", at->detail);
        out_object_end(out);
    }
    if (warnings->count > warnings->kept) {
        char detail[80];

        snprintf(detail, sizeof detail, "%zu more warnings are not listed",
                 warnings->count - warnings->kept);
        warning_write(out, "more_warnings", detail);
    }
    out_array_end(out);
}
