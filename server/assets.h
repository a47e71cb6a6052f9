/* assets: files the binary carries: the page, the sample study, schemas.
 *
 * The table is made by the build (tools/embed) from the files named in the Makefile.
 */
#ifndef MOEPLAN_SERVER_ASSETS_H
#define MOEPLAN_SERVER_ASSETS_H

#include <stddef.h>
#include <stdint.h>

/* path is as in the source tree: "static/index.html". gzip is the same, compressed. */
struct asset {
    const char *path;
    const char *etag; /* with its quotes */
    const char *data;
    uint64_t length;
    const char *gzip;
    uint64_t gzip_length;
};

const struct asset *asset_find(const char *path); /* NULL when there is none */

/* The media type of a path, by its ending. */
const char *asset_content_type(const char *path);

#endif
