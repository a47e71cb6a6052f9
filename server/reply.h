/* reply: what every reply gets before it is sent: entity tag, 304, compression, common headers. */
#ifndef MOEPLAN_SERVER_REPLY_H
#define MOEPLAN_SERVER_REPLY_H

#include "server/call.h"

/* Completes call->reply as the request asks. Never fails: where memory is short a reply goes out
 * plain. */
void reply_complete(struct call *call);

#endif
