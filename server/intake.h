/* intake: the runs of one request on their way into the store.
 *
 * What intake_read makes of a body, and intake.c stores. Everything is in the call's arena.
 */
#ifndef MOEPLAN_SERVER_INTAKE_H
#define MOEPLAN_SERVER_INTAKE_H

#include "db/store.h"
#include "server/call.h"
#include "server/run.h"

/* One decoded run and where it stood. */
struct intake_row {
    struct experiment run;
    const char *base;   /* its JSON pointer, NULL for CSV */
    uint64_t number;    /* its row in CSV */
    int64_t claimed_id; /* the id the row names, 0 for none */
    size_t same_as;     /* an earlier row of that name in this request, or its own index */
    int64_t id;         /* stored */
    enum put_outcome outcome;
};

struct intake {
    const char *study; /* of the query, the envelope, or the first row that names one; else NULL */
    enum on_conflict on_conflict;
    struct intake_row *rows;
    size_t count, room;
    bool one; /* the body was a single object */
    struct run_warnings warnings;
};

/* Decodes and checks the body into rows, `study` known as far as query, envelope and rows say.
 * Every fault is in call->err, whose code is returned. */
enum err_code intake_read(struct intake *intake, struct call *call);

/* Where a row stands in the request. */
struct run_site intake_site(const struct intake_row *row);

#endif
