/* problem: errors as RFC 9457 problem documents. */
#ifndef MOEPLAN_SERVER_PROBLEM_H
#define MOEPLAN_SERVER_PROBLEM_H

#include "core/err.h"
#include "server/call.h"

/* The HTTP status of an error. */
int problem_status(enum err_code code);

/* Replaces the reply by the document of an error: err may have no detail or fields. Adds
 * WWW-Authenticate to 401 and Retry-After to 429 and 503. Never fails: out of memory gives a fixed
 * document. Headers a handler has set go, but Allow and WWW-Authenticate stay. */
void problem_reply(struct call *call, enum err_code code);

#endif
