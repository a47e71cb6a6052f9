/* precondition: If-Match and If-None-Match on writes (RFC 9110, 13.1). */
#ifndef MOEPLAN_SERVER_PRECONDITION_H
#define MOEPLAN_SERVER_PRECONDITION_H

#include "server/call.h"

/* Whether the request has one that a write must check. */
bool precondition_is_asked(const struct call *call);

/* A handler for the writer lane: reads what GET would answer at the same path, compares its tag,
 * then runs the route's own handler in the same transaction. ERR_PRECONDITION_FAILED. */
enum err_code precondition_run(struct call *call);

#endif
