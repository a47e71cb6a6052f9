/* run_fields: the table of a run's fields and what run.c and run_csv.c share about it. */
#ifndef MOEPLAN_SERVER_RUN_FIELDS_H
#define MOEPLAN_SERVER_RUN_FIELDS_H

#include "server/run.h"

/* The bits of experiment.present of a set of rows of experiment_fields. */
unsigned run_bits(uint64_t rows);

/* Whether the run has a value for the field at index; NANs and NULLs speak for themselves. */
bool run_has(const struct experiment *run, size_t index);

/* What is wrong with a tag, or NULL. An empty value cannot be told from an absent one in CSV, so
 * there is none. */
const char *run_tag_fault(size_t name_length, size_t value_length);

/* Sorts and sets the tags of a run; their names are distinct. */
void run_set_tags(struct experiment *run, struct tag *tags, size_t count);

#endif
