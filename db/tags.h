/* tags: a run's tags as one text: a JSON object of strings, names ascending by bytes, no spaces,
 * only what must be escaped escaped. One way to write each set, so equal texts are equal tags.
 * Private to db/.
 */
#ifndef MOEPLAN_DB_TAGS_H
#define MOEPLAN_DB_TAGS_H

#include "core/arena.h"
#include "db/values.h"

/* {"router":"S-Base"}; *ret_text NULL when there are none. False: out of memory. The tags must be
 * ascending by name. */
bool tags_encode(const struct tag *tags, size_t count, struct arena *arena, const char **ret_text);

enum tags_answer { TAGS_OK, TAGS_DAMAGED, TAGS_NO_MEMORY };

/* The way back; text NULL is no tags. */
enum tags_answer tags_decode(const char *text, struct arena *arena, const struct tag **ret_tags,
                             size_t *ret_count);

#endif
