/* tables: the field tables that rows of the route table name, each beside its handler.
 *
 * The counts stand here because a route's row needs them as constants; every definition asserts its
 * own. Rows shared by several tables are initialisers below.
 */
#ifndef MOEPLAN_SERVER_TABLES_H
#define MOEPLAN_SERVER_TABLES_H

#include <stddef.h>

#include "server/field.h"

enum {
    STUDIES_LIST_FIELDS = 3,
    SELECT_FIELDS = 1,
    STUDIES_DELETE_FIELDS = 1,
    STUDY_FIELDS = 7,
    LAWS_LIST_FIELDS = 3,
    GPUS_LIST_FIELDS = 3,
    FITS_LIST_FIELDS = 5,
    /* fit_request_fields: rows of comparisons, then of both, then of fits. */
    FIT_REQUEST_COMPARE_ONLY = 1,
    FIT_REQUEST_SHARED = 12,
    FIT_REQUEST_FIT_ONLY = 2,
    FIT_FIELDS = FIT_REQUEST_SHARED + FIT_REQUEST_FIT_ONLY,
    COMPARE_FIELDS = FIT_REQUEST_COMPARE_ONLY + FIT_REQUEST_SHARED,
    RESIDUALS_FIELDS = 4,
    PROFILE_FIELDS = 4,
    EXPERIMENT_FIELDS = 20,
    EXPERIMENTS_LIST_FIELDS = 5,
    INTAKE_FIELDS = 2,
    ARCHITECTURE_FIELDS = 11,
    PREDICT_FIELDS = 10,
    PREDICT_BODY_FIELDS = 5,
    /* question_fields: rows of curves, then of both, then of plans. */
    QUESTION_CURVE_ONLY = 10,
    QUESTION_SHARED = 29,
    QUESTION_PLAN_ONLY = 11,
    /* What the target of a suggestion takes: from behind model and fields to target_loss. */
    QUESTION_TARGET_FIRST = QUESTION_CURVE_ONLY + 4,
    QUESTION_TARGET_FIELDS = QUESTION_SHARED - 4 + 2,
    SUGGEST_FIELDS = 15,
    CURVE_FIELDS = QUESTION_CURVE_ONLY + QUESTION_SHARED,
    PLAN_FIELDS = QUESTION_SHARED + QUESTION_PLAN_ONLY,
};

extern const struct field studies_list_fields[], studies_delete_fields[], study_fields[],
    experiment_fields[];
extern const struct field experiments_list_fields[], intake_fields[];
extern const struct field fits_list_fields[], fit_request_fields[], residuals_fields[],
    profile_fields[];
extern const struct field laws_list_fields[], gpus_list_fields[], architecture_fields[],
    suggest_fields[], predict_fields[], predict_body_fields[], question_fields[];

/* The one parameter of a read without any other: struct select_query. */
extern const struct field select_fields[];

#define TABLE_IS(table, rows)                                                                      \
    _Static_assert(sizeof(table) / sizeof *(table) == (rows), "count in tables.h")

/* `fields` of an answer that is one object. */
#define SELECT_FIELD(type, member)                                                                 \
    {                                                                                              \
        .name = "fields", .kind = FIELD_TEXT, .offset = offsetof(type, member), .max = 2000,       \
        .help = "The top-level members to keep, separated by commas."                              \
    }

/* `study` of a request. */
#define STUDY_FIELD(type, member)                                                                  \
    {                                                                                              \
        .name = "study", .kind = FIELD_TEXT, .offset = offsetof(type, member), .max = 64,          \
        .fallback = "default", .help = "The study."                                                \
    }

#endif
