#include "server/counting.h"

#include <stddef.h>

const char *const counting_embeddings[] = {
    [COUNTING_BOTH] = "both", [COUNTING_OUTPUT] = "output", [COUNTING_NONE] = "none", NULL};

const char *const counting_counts[] = {[COUNTING_ALL] = "all", [COUNTING_LAWS] = "laws", NULL};
