#include "server/dump.h"

#include <stdlib.h>
#include <string.h>

#include "server/page.h"

struct dump {
    struct dump_question question;
    struct filter filter; /* the question's: it outlives the handler that asked */
    int64_t after, up_to; /* ids written so far, and the last there is */
    size_t left;          /* rows still allowed; SIZE_MAX without a limit */
    bool more;            /* there is a row beyond the limit */
    bool full, ended, failed;
    size_t full_at;   /* length of out at which a batch ends */
    uint64_t columns; /* CSV: bit per experiment_fields */
    bool with_tags;
    size_t n_tags;
    const char *tags[DUMP_TAGS_MAX + 1];
    struct arena *arena;
    struct out line; /* the members asked for of one run */
    struct out out;  /* rows made and not yet sent */
    size_t sent;     /* bytes of out that are */
    struct reply_stream stream;
};

/* Where a tag stands in the sorted list, or would. */
static size_t tag_place(const struct dump *dump, const char *name, bool *ret_there)
{
    size_t low = 0, high = dump->n_tags;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(dump->tags[middle], name);

        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = false;
    return low;
}

static bool gather_tags(void *ctx, const struct experiment *run)
{
    struct dump *dump = ctx;

    for (size_t i = 0; i < run->n_tags; i++) {
        const char *name = run->tags[i].name;
        bool there;
        size_t place = tag_place(dump, name, &there);

        if (there)
            continue;
        name = arena_copy(dump->arena, name, strlen(name));
        if (name == NULL) {
            dump->failed = true;
            return false;
        }
        memmove(dump->tags + place + 1, dump->tags + place,
                (dump->n_tags - place) * sizeof *dump->tags);
        dump->tags[place] = name;
        if (++dump->n_tags > DUMP_TAGS_MAX)
            return false;
    }
    return true;
}

static bool has_other_tags(const struct dump *dump, const struct experiment *run)
{
    bool there = true;

    for (size_t i = 0; i < run->n_tags && there; i++)
        tag_place(dump, run->tags[i].name, &there);
    return !there;
}

static bool write_run(void *ctx, const struct experiment *run)
{
    struct dump *dump = ctx;

    if (dump->left == 0) {
        dump->more = true;
        return false;
    }
    if (dump->question.format == ANSWER_CSV) {
        if (dump->with_tags && has_other_tags(dump, run)) {
            dump->failed = true;
            return false;
        }
        run_write_row(&dump->out, dump->columns, dump->tags, dump->n_tags, run);
    } else {
        out_clear(&dump->line);
        run_write_json(&dump->line, run);
        out_bytes(&dump->line, "\n", 1);
        out_bytes(&dump->out, dump->line.text, dump->line.length);
    }
    dump->after = run->id;
    dump->left--;
    dump->full = dump->out.length >= dump->full_at;
    return !dump->full;
}

/* Makes the next rows; sets ended when there are no more. */
static enum err_code dump_more(struct dump *dump, struct store *store, struct err *err)
{
    enum err_code code;

    dump->full = false;
    dump->full_at = dump->out.length + REPLY_STREAM_BYTES;
    code = experiment_each(store, dump->question.study, dump->question.filter, dump->after,
                           dump->up_to, 0, write_run, dump, err);
    if (code != ERR_OK)
        return code;
    if (dump->out.failed || dump->line.failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (dump->failed)
        return err_set(err, ERR_UNAVAILABLE, "the runs changed while they were read: try again");
    dump->ended = !dump->full;
    return ERR_OK;
}

static long dump_read(struct call *call, void *ctx, char *buffer, size_t room)
{
    struct dump *dump = ctx;
    size_t length;

    if (dump->sent == dump->out.length) {
        struct err err;

        if (dump->ended)
            return REPLY_STREAM_END;
        out_clear(&dump->out);
        dump->sent = 0;
        err_init(&err, NULL);
        if (dump_more(dump, call->store, &err) != ERR_OK)
            return REPLY_STREAM_FAILED;
        if (dump->out.length == 0)
            return REPLY_STREAM_END;
    }
    length = dump->out.length - dump->sent;
    if (length > room)
        length = room;
    memcpy(buffer, dump->out.text + dump->sent, length);
    dump->sent += length;
    return (long)length;
}

/* The columns `fields` keeps, and whether tags are among them. */
static void choose_columns(struct dump *dump)
{
    const char *name;
    size_t length;

    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++) {
        bool wanted = dump->question.fields == NULL;

        for (const char *at = dump->question.fields; answer_next_name(&at, &name, &length);)
            wanted |= strlen(run_members[i]) == length && memcmp(run_members[i], name, length) == 0;
        if (wanted)
            dump->columns |= UINT64_C(1) << i;
        if (wanted && strcmp(run_members[i], "tags") == 0)
            dump->with_tags = true;
    }
}

static enum err_code dump_begin(struct dump *dump, struct call *call)
{
    enum err_code code =
        experiment_high_water(call->store, dump->question.study, &dump->up_to, &call->err);

    if (code == ERR_OK)
        code = answer_select(call, &dump->line, dump->question.fields, run_members);
    out_init(&dump->out, &call->arena);
    if (code != ERR_OK || dump->question.format != ANSWER_CSV)
        return code;
    choose_columns(dump);
    if (dump->with_tags)
        code =
            experiment_each(call->store, dump->question.study, dump->question.filter, dump->after,
                            dump->up_to, dump->question.limit, gather_tags, dump, &call->err);
    if (code != ERR_OK)
        return code;
    if (dump->failed)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    if (dump->n_tags > DUMP_TAGS_MAX)
        return err_set(&call->err, ERR_UNSUPPORTED,
                       "these runs have more than %d different tags: too many columns for CSV; ask "
                       "for NDJSON, or for `fields` without tags",
                       DUMP_TAGS_MAX);
    run_write_header(&dump->out, dump->columns, dump->tags, dump->n_tags);
    return ERR_OK;
}

enum err_code dump_reply(struct call *call, const struct dump_question *question)
{
    struct dump *dump = arena_calloc(&call->arena, 1, sizeof *dump);
    enum err_code code;

    if (dump == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    dump->question = *question;
    dump->filter = *question->filter;
    dump->question.filter = &dump->filter;
    dump->after = question->after;
    dump->left = question->limit > 0 ? question->limit : SIZE_MAX;
    dump->arena = &call->arena;
    code = dump_begin(dump, call);
    while (code == ERR_OK && !dump->ended &&
           (question->limit > 0 || dump->out.length < DUMP_WHOLE_BYTES))
        code = dump_more(dump, call->store, &call->err);
    if (code == ERR_OK && dump->more)
        code = page_link(call, PAGE_EXPERIMENTS, dump->after);
    if (code != ERR_OK)
        return code;
    if (dump->ended)
        return answer_text(call, 200, &dump->out, answer_media_type(question->format));
    dump->stream = (struct reply_stream){.read = dump_read, .ctx = dump};
    reply_with_stream(call, 200, answer_media_type(question->format), &dump->stream);
    return ERR_OK;
}
