/* counting: which parameters n_active and n_total count, in the words of requests and answers.
 *
 * Papers and hubs differ: a checkpoint has norms and routers, which no law counts; some count the
 * embeddings among the active parameters, some do not. Const data.
 */
#ifndef MOEPLAN_SERVER_COUNTING_H
#define MOEPLAN_SERVER_COUNTING_H

enum { COUNTING_UNSTATED = -1 };

/* Which embeddings n_active counts; n_total counts both. */
enum counting_embedding { COUNTING_BOTH, COUNTING_OUTPUT, COUNTING_NONE };
extern const char *const counting_embeddings[]; /* "both", …, NULL */

/* Every parameter of the checkpoint, or those that laws count: no norms, biases and routers. */
enum counting_count { COUNTING_ALL, COUNTING_LAWS };
extern const char *const counting_counts[]; /* "all", "laws", NULL */

struct counting {
    int embedding, count; /* of the enums, or COUNTING_UNSTATED */
};

#endif
