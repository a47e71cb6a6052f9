/* contour: the columns of a contour, which is a grid, as JSON and CSV.
 *
 * A point extrapolates by its size, its tokens, or the E and G of all: what lies outside is said of
 * each row and each column in JSON, of each point in CSV.
 */
#ifndef MOEPLAN_SERVER_CONTOUR_H
#define MOEPLAN_SERVER_CONTOUR_H

#include "server/drawing.h"

/* The member `columns`. ERR_NO_MEMORY. */
enum err_code contour_write(struct call *call, const struct drawing *drawing, struct out *out);

/* Replies with one row a point. */
enum err_code contour_reply_csv(struct call *call, const struct drawing *drawing);

#endif
