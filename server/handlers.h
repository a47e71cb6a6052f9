/* handlers: every function a row of the route table names.
 *
 * A handler is one blocking function on the lane its row names. It reads call->request (checked by
 * dispatch: method, media types, scope), fills call->reply with the reply_* helpers, and returns
 * ERR_OK; or returns an error with call->err filled, which dispatch renders as a problem document.
 * call->snapshot is held on the inline, reader and fit lanes; call->store is there on the reader
 * lane (read-only) and on the writer lane (inside the transaction).
 */
#ifndef MOEPLAN_SERVER_HANDLERS_H
#define MOEPLAN_SERVER_HANDLERS_H

#include "server/call.h"

/* operations.c */
enum err_code operations_livez(struct call *call);
enum err_code operations_readyz(struct call *call);
enum err_code operations_metrics(struct call *call);
enum err_code operations_version(struct call *call);
enum err_code operations_backup(struct call *call);

/* assets.c */
enum err_code assets_page(struct call *call);
enum err_code assets_static(struct call *call);
enum err_code assets_vendor(struct call *call);
enum err_code assets_example(struct call *call);

#endif
