/* dump: a study's runs as CSV or NDJSON, piece by piece.
 *
 * Rows are read from the store in batches and never held together: a first piece is made at once,
 * and if that is all, it is the body; otherwise the rest follows as a stream on the reader lane. An
 * dump holds the runs there were when it began: later ones are left out. CSV needs a pass of its
 * own for the names of the tags; a run that gains another tag meanwhile fails the stream, so that
 * nothing is dropped in silence. Memory is the call's arena's.
 */
#ifndef MOEPLAN_SERVER_DUMP_H
#define MOEPLAN_SERVER_DUMP_H

#include "db/store.h"
#include "server/answer.h"
#include "server/run.h"

enum {
    DUMP_TAGS_MAX = CSV_COLUMNS_MAX - EXPERIMENT_FIELDS + 1, /* so that it can be posted back */
    DUMP_WHOLE_BYTES = 256 * 1024,                           /* larger bodies are streamed */
};

/* What it points at, but for the filter, must live as long as the call. */
struct dump_question {
    enum answer_format format; /* ANSWER_CSV or ANSWER_NDJSON */
    const char *study;
    const struct filter *filter;
    const char *fields; /* checked against run_members; NULL for all */
    int64_t after;      /* ids above this */
    size_t limit;       /* 0: everything, streamed */
};

/* Replies. With a limit, adds the Link to the rest. ERR_UNSUPPORTED for CSV of more tags than a
 * header can hold. */
enum err_code dump_reply(struct call *call, const struct dump_question *question);

#endif
