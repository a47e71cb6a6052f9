/* studies: what other handlers need of them. */
#ifndef MOEPLAN_SERVER_STUDIES_H
#define MOEPLAN_SERVER_STUDIES_H

#include "server/call.h"
#include "server/snapshot.h"

/* The study of a request, "default" for NULL; NULL with ERR_STUDY_NOT_FOUND in call->err. Needs
 * call->snapshot. */
const struct study *studies_find(struct call *call, const char *id);

#endif
