/* fit_document: the members of a finished fit as JSON text, written once and kept in its record.
 *
 * A document is one object without blanks, of our own writing, so reading it takes no parser:
 * members are found by walking over brackets and strings. Pure functions of the text.
 */
#ifndef MOEPLAN_SERVER_FIT_DOCUMENT_H
#define MOEPLAN_SERVER_FIT_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "db/values.h"
#include "server/fit_request.h"
#include "server/out.h"

/* What a finished fit knows of itself. */
struct fit_facts {
    const struct fit_request *request;
    const struct fit_options *options;
    const struct fit_result *result;
    const struct obs *obs; /* the runs fitted, in obs_compare order */
    size_t count;
    int64_t last_experiment_id;
    const struct study *study;
};

/* {"options":…, …, "provenance":…}: the contract's members from options on, and those below, which
 * are not shown. The same facts give the same bytes. */
#define FIT_DOCUMENT_NOISE "noise_log" /* of one new run, in ln loss (fit.h) */

void fit_document_write(struct out *out, const struct fit_facts *facts);

/* Walks the top-level members: *at is 0 at the start. False at the end. Names and values are text
 * inside the document, names without their quotes. */
bool fit_document_next(const struct fit_record *record, size_t *at, const char **ret_name,
                       size_t *ret_name_length, const char **ret_value, size_t *ret_length);

/* The value of a top-level member; false when there is none. */
bool fit_document_member(const struct fit_record *record, const char *name, const char **ret_value,
                         size_t *ret_length);

/* A member that is a number; NAN when it is none. */
double fit_document_number(const struct fit_record *record, const char *name);

/* The warning of that code, {"code":…,"detail":…}; false when the fit has none. */
bool fit_document_warning(const struct fit_record *record, const char *code, const char **ret_text,
                          size_t *ret_length);

#endif
