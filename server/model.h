/* model: the fit or preset a request names, and what every answer says of it.
 *
 * Choosing is snapshot_choose's; here are the request's three parameters and the members and
 * warnings that predictions, plans and curves share.
 */
#ifndef MOEPLAN_SERVER_MODEL_H
#define MOEPLAN_SERVER_MODEL_H

#include <stddef.h>

#include "server/call.h"
#include "server/out.h"
#include "server/snapshot.h"
#include "server/tables.h"

/* Of every `level`. */
#define LEVEL_DEFAULT 0.9
#define LEVEL_MAX 0.999999

/* `level` of a request that is answered with intervals. */
#define LEVEL_FIELD(type, member)                                                                  \
    {                                                                                              \
        .name = "level", .kind = FIELD_NUMBER, .offset = offsetof(type, member),                   \
        .min_exclusive = true, .max = LEVEL_MAX, .fallback = "0.9",                                \
        .help = "The share of cases the intervals are to cover."                                   \
    }

struct model_query {
    const char *fit, *law, *study;
};

#define MODEL_FIELDS(type, member)                                                                 \
    {.name = "fit",                                                                                \
     .kind = FIELD_REFERENCE,                                                                      \
     .offset = offsetof(type, member.fit),                                                         \
     .max = 100,                                                                                   \
     .help = "A fit's id or a preset's name; by default the study's default_fit, else its newest " \
             "fit of its plain runs, else the preset of the law."},                                \
        {.name = "law",                                                                            \
         .kind = FIELD_TEXT,                                                                       \
         .offset = offsetof(type, member.law),                                                     \
         .max = 64,                                                                                \
         .help = "The law a fit is looked for, when none is named."},                              \
        STUDY_FIELD(type, member.study)

/* snapshot_choose for the call's snapshot; every name that is at fault is a field. After an error
 * of the call these join its list, and ERR_OK still says that *ret is filled. */
enum err_code model_choose(struct call *call, const struct model_query *query,
                           struct model_choice *ret);

/* The id of a fit, or the name of a preset, as the member `name`. */
void model_write_fit(struct out *out, const char *name, const struct model_choice *choice);

/* "published", "composed", or "fitted" for a fit of one's own runs. */
const char *model_provenance(const struct model_choice *choice);

/* What the answer's N_act counts: "with_embedding" or "non_embedding". */
const char *model_convention(const struct model_choice *choice);

/* The members fit, law, study. */
void model_write_head(struct out *out, const struct model_choice *choice);

/* The members provenance and parameter_convention: whose numbers these are, and what they count. */
void model_write_origin(struct out *out, const struct model_choice *choice);

/* The same five as headers of the reply, for forms without room for them: CSV, arguments. */
enum { MODEL_HEADERS = 5 };
struct model_header {
    const char *name, *help;
};
extern const struct model_header model_headers[MODEL_HEADERS];
enum err_code model_reply_headers(struct call *call, const struct model_choice *choice);

/* Why answers from a preset, or (NULL) from a fit without draws, have no intervals. */
const char *model_no_interval(const struct preset *preset);

/* The warnings that come with the model, into an open array: published_coefficients, composed,
 * predicts_poorly, what the fit averages over, unless the caller brought a shape shape_assumed,
 * ranges_unknown, without draws no_interval, and few_draws where there are too few for intervals of
 * the level (NAN: none are shown). */
void model_write_warnings(struct out *out, const struct model_choice *choice, bool uses_shape,
                          double level);

/* The noise of one run about the fit, in ln loss; NAN for presets. */
double model_noise_log(const struct model_choice *choice);

/* [{variable, value, min, max, distance}] */
void model_write_extrapolates(struct out *out, const struct plan_extrapolation *extrapolates,
                              size_t count);

/* [low, high], or null where there is none. */
void model_write_interval(struct out *out, const char *name, const double interval[2]);

/* After an error on a JSON body: what was said of parameters behind the field `after` (NULL: from
 * the first) is said of the body's members. */
void model_fields_to_pointers(struct call *call, const struct err_field *after);

#endif
