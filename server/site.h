/* site: whether a request may come from where it comes. Pure functions of header values.
 *
 * A browser can be led to a server on loopback under a name of the attacker's (DNS rebinding), and
 * to send writes that a page elsewhere made up (cross-site requests): Host, Origin and
 * Sec-Fetch-Site tell.
 */
#ifndef MOEPLAN_SERVER_SITE_H
#define MOEPLAN_SERVER_SITE_H

#include <stdbool.h>

/* Whether Host names this machine (localhost, 127.x.y.z, [::1], any port) or one of the
 * comma-separated `allowed` (without port; NULL for none). */
bool site_is_local_host(const char *host, const char *allowed);

/* Whether a write with these headers (NULL: not sent) comes from another site than Host, and not
 * from the allowed origin (NULL for none). */
bool site_is_cross(const char *host, const char *origin, const char *fetch_site,
                   const char *allowed_origin);

#endif
