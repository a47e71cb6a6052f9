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
enum err_code assets_example(struct call *call);

/* studies.c */
enum err_code studies_list(struct call *call);
enum err_code studies_read(struct call *call);
enum err_code studies_put(struct call *call);
enum err_code studies_delete(struct call *call);

/* experiments.c */
enum err_code experiments_list(struct call *call);
enum err_code experiments_read(struct call *call);
enum err_code experiments_patch(struct call *call);
enum err_code experiments_delete(struct call *call);

/* intake.c */
enum err_code intake_post(struct call *call);

/* laws.c */
enum err_code laws_list(struct call *call);
enum err_code laws_read(struct call *call);

/* fits.c, fits_post.c, fit_events.c, residuals.c */
enum err_code fits_post(struct call *call);
enum err_code fits_list(struct call *call);
enum err_code fits_read(struct call *call);
enum err_code fits_delete(struct call *call);
enum err_code fits_events(struct call *call);

/* profiles.c */
enum err_code profiles_read(struct call *call);

/* gpus.c */
enum err_code gpus_list(struct call *call);

/* compare.c */
enum err_code compare_post(struct call *call);
enum err_code residuals_list(struct call *call);

/* predict.c, plans.c, curves.c */
enum err_code predict_get(struct call *call);
enum err_code predict_post(struct call *call);
enum err_code plans_get(struct call *call);
enum err_code plans_post(struct call *call);
enum err_code curves_read(struct call *call);

/* suggestions.c */
enum err_code suggestions_post(struct call *call);

/* architectures.c */
enum err_code architectures_post(struct call *call);

/* openapi.c, docs.c */
enum err_code openapi_read(struct call *call);
enum err_code docs_read(struct call *call);

#endif
