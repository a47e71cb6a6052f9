/* dispatch: answers a call, everything but transport.
 *
 * Checks in this order: host, path, method, cross-site, token, body type, reply type; then runs the
 * handler where its lane says, and finishes the reply: problem document for an error, ETag, 304,
 * gzip, common headers, log, metrics. Plain structs, no sockets.
 */
#ifndef MOEPLAN_SERVER_DISPATCH_H
#define MOEPLAN_SERVER_DISPATCH_H

#include "server/call.h"

/* Either fills call->reply and returns true, or hands the call to a lane and returns false: then
 * call->ready will be called, perhaps before this function returns. */
bool dispatch(struct call *call);

/* Answers with an error found by the transport (call->err filled): no handler is run. */
void dispatch_refuse(struct call *call, enum err_code code);

/* Runs the handler of a call that reached its lane: returns true when the reply is finished, false
 * when it went on to another lane. For lanes only; the writer uses the two halves below. */
bool dispatch_run(struct call *call, call_handler *handler);

/* After the handler: finishes the reply. */
void dispatch_finish(struct call *call, enum err_code code);

/* What the call holds beyond its arena: its snapshot and stream. Once the reply is sent, or cannot
 * be. */
void dispatch_release(struct call *call);

/* Sends a call on to the lane of call->then. True when it could not be and the reply is finished
 * (an error). */
bool dispatch_continue(struct call *call);

#endif
