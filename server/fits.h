/* fits: a fit or preset as clients see it. */
#ifndef MOEPLAN_SERVER_FITS_H
#define MOEPLAN_SERVER_FITS_H

#include "core/preset.h"
#include "db/values.h"
#include "server/call.h"
#include "server/out.h"

/* Every member of a fit's object, ended by NULL. */
extern const char *const fit_members[];

/* The members of a stored fit: those of its row, then those of its document. */
void fit_write(struct out *out, const struct fit_record *record);

/* The same members of a preset; null where nothing was published. */
void fit_write_preset(struct out *out, const struct preset *preset);

/* The finished fit of the path's {fit}, of a law this version knows. ERR_FIT_NOT_FOUND,
 * ERR_CONFLICT when it is not finished, ERR_UNSUPPORTED for a preset, or when another version made
 * it. */
enum err_code fit_find_finished(struct call *call, const struct fit_record **ret_record);

#endif
