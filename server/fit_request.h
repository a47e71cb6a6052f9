/* fit_request: the bodies of POST /v1/fits and /v1/compare, and the options they come to.
 *
 * Decoding is strict and reports every fault; what depends on the law is judged once the law is
 * known. Memory is the arena's.
 */
#ifndef MOEPLAN_SERVER_FIT_REQUEST_H
#define MOEPLAN_SERVER_FIT_REQUEST_H

#include "core/fit.h"
#include "db/filter.h"
#include "server/call.h"
#include "server/out.h"

/* A coefficient named by the client, with what is said of it. */
struct fit_request_value {
    const char *name;
    double value; /* fixed: INFINITY for null. prior: the mean */
    double sd;    /* prior only */
};

struct fit_request_list {
    size_t count;
    struct fit_request_value *items;
};

enum { FIT_REQUEST_LAWS_MAX = 16 };

struct fit_request_laws {
    size_t count;
    const struct law *items[FIT_REQUEST_LAWS_MAX];
    /* Names that no law has, and where they stand. */
    size_t n_unknown;
    struct fit_request_unknown {
        const char *name, *pointer;
    } * unknown;
};

struct fit_request {
    const char *study, *law, *label;
    struct fit_request_laws laws; /* of a comparison, which has no law of its own */
    int loss;                     /* enum robust_kind */
    double delta;                 /* NAN when not given */
    int64_t starts, seed, bootstrap;
    struct filter where;
    struct fit_request_list fixed, prior, free;
    enum fit_holdout_kind holdout_kind;
    double holdout, level;
};

/* The choices of `loss`, by enum robust_kind. */
extern const char *const fit_loss_names[];

/* Decodes the call's body; the law's own rules are checked too. ERR_INVALID with every fault,
 * ERR_LAW_NOT_FOUND. */
enum err_code fit_request_read(struct call *call, struct fit_request *ret_request,
                               struct fit_options *ret_options);

/* The same of a comparison: options for each of laws.items. A coefficient is named for the laws
 * that have it; one that none has is refused. */
enum err_code fit_request_read_compare(struct call *call, struct fit_request *ret_request,
                                       struct fit_options *ret_options);

/* The options of a fit made before, from its member `options`. ERR_INTERNAL when they do not read.
 */
enum err_code fit_request_reread(struct call *call, const char *text, size_t length,
                                 const struct law *law, struct fit_options *ret_options);

/* The member `options`: everything, defaults included, as a request could say it again. fixed are
 * the coefficients that were not free, pins among them; without a result (NULL) those asked for. */
void fit_request_write(struct out *out, const struct fit_request *request,
                       const struct fit_options *options, const struct fit_result *result);

#endif
