#include "server/fit_document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/json_string.h"
#include "server/number.h"
#include "server/snapshot.h"
#include "server/warning.h"

bool fit_document_next(const struct fit_record *record, size_t *at, const char **ret_name,
                       size_t *ret_name_length, const char **ret_value, size_t *ret_length)
{
    const char *end, *name, *value, *stop;

    if (record->document == NULL || *at + 2 >= record->document_length)
        return false;
    end = record->document + record->document_length;
    name = record->document + *at + 1; /* past the brace or the comma */
    if (*name != '"')
        return false;
    stop = json_skip_value(name, end);
    *ret_name = name + 1;
    *ret_name_length = (size_t)(stop - name) - 2;
    value = stop + 1;
    stop = json_skip_value(value, end);
    *ret_value = value;
    *ret_length = (size_t)(stop - value);
    *at = (size_t)(stop - record->document);
    return true;
}

bool fit_document_member(const struct fit_record *record, const char *name, const char **ret_value,
                         size_t *ret_length)
{
    const char *member;
    size_t at = 0, length;

    while (fit_document_next(record, &at, &member, &length, ret_value, ret_length))
        if (length == strlen(name) && memcmp(member, name, length) == 0)
            return true;
    return false;
}

double fit_document_number(const struct fit_record *record, const char *name)
{
    const char *value;
    size_t length;
    double number;

    return fit_document_member(record, name, &value, &length) && number_read(value, length, &number)
               ? number
               : NAN;
}

bool fit_document_warning(const struct fit_record *record, const char *code, const char **ret_text,
                          size_t *ret_length)
{
    static const char opening[] = "{\"code\":\"";
    const char *at, *end;
    size_t length;

    if (!fit_document_member(record, "warnings", &at, &length))
        return false;
    for (end = at + length; at < end && *at != ']'; at += *ret_length) {
        at++; /* past the bracket or the comma */
        *ret_text = at;
        *ret_length = (size_t)(json_skip_value(at, end) - at);
        if (*ret_length > sizeof opening + strlen(code) &&
            memcmp(at, opening, sizeof opening - 1) == 0 &&
            strncmp(at + sizeof opening - 1, code, strlen(code)) == 0 &&
            at[sizeof opening - 1 + strlen(code)] == '"')
            return true;
    }
    return false;
}

static void write_coefficients(struct out *out, const struct fit_result *result)
{
    const struct law *law = result->law;

    out_object_begin(out, "coefficients");
    for (size_t i = 0; i < law->n_coefficients; i++)
        out_number(out, law->coefficients[i].name, result->coefficient[i]);
    out_object_end(out);
    out_object_begin(out, "intervals");
    for (size_t i = 0; i < law->n_coefficients; i++) {
        /* An end may be infinite, and null then, but not absent. */
        if (isnan(result->interval[i][0]) || isnan(result->interval[i][1]))
            out_null(out, law->coefficients[i].name);
        else
            out_numbers(out, law->coefficients[i].name, result->interval[i], 2);
    }
    out_object_end(out);
}

static void write_holdout(struct out *out, const struct fit_holdout_result *holdout)
{
    if (holdout->points == 0) {
        out_null(out, "holdout");
        return;
    }
    out_object_begin(out, "holdout");
    out_integer(out, "points", (int64_t)holdout->points);
    out_number(out, "rmse_log", holdout->rmse_log);
    out_number(out, "mae_log", holdout->mae_log);
    out_number(out, "max_abs_log", holdout->max_abs_log);
    out_number(out, "rmse_loss", holdout->rmse_loss);
    out_number(out, "mae_loss", holdout->mae_loss);
    out_number(out, "mae_percent", holdout->mae_percent);
    out_number(out, "max_abs_percent", holdout->max_abs_percent);
    out_number(out, "coverage", holdout->coverage);
    out_number(out, "min_flops", holdout->min_flops);
    out_object_end(out);
}

static void write_ranges(struct out *out, const struct fit_result *result)
{
    out_object_begin(out, "ranges");
    for (int v = 0; v < LAW_RANGE_COUNT; v++)
        if (!isnan(result->range[v].min))
            out_numbers(out, law_variable_name((enum law_variable)v),
                        (const double[]){result->range[v].min, result->range[v].max}, 2);
    out_object_end(out);
}

/* The shape's n_total over the runs' own. */
struct ratios {
    size_t runs; /* that have one */
    double median, min, max;
};

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static struct ratios shape_ratios(const struct shape *shape, const struct fit_facts *facts,
                                  struct out *out)
{
    struct ratios ratios = {0, NAN, NAN, NAN};
    double *all = malloc((facts->count + 1) * sizeof *all);

    if (all == NULL) {
        out->failed = true;
        return ratios;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct obs *obs = &facts->obs[i];
        double d_model = shape_d_from_n_active(shape, obs->n_active);
        double ratio = shape_n_total(shape, d_model, obs->experts) / obs->n_total;

        if (isfinite(ratio)) /* not where n_total is unknown, nor near the ends of doubles */
            all[ratios.runs++] = ratio;
    }
    if (ratios.runs == 0)
        goto done;
    qsort(all, ratios.runs, sizeof *all, compare_doubles);
    ratios.min = all[0];
    ratios.max = all[ratios.runs - 1];
    ratios.median = (all[(ratios.runs - 1) / 2] + all[ratios.runs / 2]) / 2;
done:
    free(all);
    return ratios;
}

static void write_shape(struct out *out, const struct shape *shape, const struct study *study,
                        const struct ratios *ratios)
{
    out_object_begin(out, "shape");
    out_text(out, "name", shape->name);
    out_text(out, "parameter_convention", parameter_convention_name(study->parameter_convention));
    if (ratios->runs == 0) {
        out_null(out, "n_total_ratio");
    } else {
        out_object_begin(out, "n_total_ratio");
        out_integer(out, "runs", (int64_t)ratios->runs);
        out_number(out, "median", ratios->median);
        out_number(out, "min", ratios->min);
        out_number(out, "max", ratios->max);
        out_object_end(out);
    }
    out_object_end(out);
}

static void write_warnings(struct out *out, const struct fit_result *result,
                           const struct shape *shape, const struct ratios *ratios)
{
    char detail[300];

    out_array_begin(out, "warnings");
    for (size_t i = 0; i < result->n_warnings; i++)
        warning_write(out, result->warnings[i].code, result->warnings[i].detail);
    if (result->law->slice != NULL) {
        int length = snprintf(detail, sizeof detail,
                              "plans take the runs' architecture for that of shape '%s'; give "
                              "`shape` to say otherwise. ",
                              shape->name);

        if (ratios->runs == 0)
            snprintf(detail + length, sizeof detail - (size_t)length,
                     "No run has n_total to check it by");
        else
            snprintf(detail + length, sizeof detail - (size_t)length,
                     "Its n_total is %.4g times the real one in the median of %zu runs, %.4g to "
                     "%.4g times over all",
                     ratios->median, ratios->runs, ratios->min, ratios->max);
        warning_write(out, "shape_assumed", detail);
    }
    out_array_end(out);
}

void fit_document_write(struct out *out, const struct fit_facts *facts)
{
    const struct fit_result *result = facts->result;
    const struct shape shape =
        snapshot_shape_of_runs(result->law, facts->study->parameter_convention);
    const struct ratios ratios = shape_ratios(&shape, facts, out);
    char sha256[65];

    obs_fingerprint(facts->obs, facts->count, sha256);
    out_object_begin(out, NULL);
    fit_request_write(out, facts->request, facts->options, result);
    write_coefficients(out, result);
    out_integer(out, "points", (int64_t)result->points);
    out_integer(out, "free_coefficients", (int64_t)result->n_free);
    out_number(out, "objective", result->objective);
    out_number(out, "rmse_log", result->rmse_log);
    out_number(out, "mae_log", result->mae_log);
    out_number(out, "aicc", result->aicc);
    out_number(out, "bic", result->bic);
    out_text(out, "stop_reason", fit_stop_name(result->stop));
    out_integer(out, "starts", (int64_t)result->starts);
    out_integer(out, "starts_agreeing", (int64_t)result->starts_agreeing);
    out_number(out, "condition_number", result->condition_number);
    write_holdout(out, &result->holdout);
    write_ranges(out, result);
    out_object_begin(out, "data");
    out_integer(out, "last_experiment_id", facts->last_experiment_id);
    out_text(out, "sha256", sha256);
    out_object_end(out);
    write_shape(out, &shape, facts->study, &ratios);
    write_warnings(out, result, &shape, &ratios);
    out_text(out, "provenance", "fitted");
    out_number(out, FIT_DOCUMENT_NOISE, result->noise_log);
    out_object_end(out);
}
