/* studies: what other handlers need of them. */
#ifndef MOEPLAN_SERVER_STUDIES_H
#define MOEPLAN_SERVER_STUDIES_H

#include "server/call.h"
#include "server/snapshot.h"

/* The study of a request's `study`, "default" for NULL; NULL with ERR_STUDY_NOT_FOUND in call->err,
 * as one fault more where there are some. Needs call->snapshot. */
const struct study *studies_asked(struct call *call, const char *id, enum err_place place);

#endif
