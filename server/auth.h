/* auth: bearer tokens from a file, and what they allow.
 *
 * The file has one token a line: "read TOKEN" or "write TOKEN" (write includes read); blank lines
 * and lines that start with # are skipped. Only digests are kept, and a presented token is compared
 * with all of them in constant time. Thread rule: check from any thread, also during a reload.
 */
#ifndef MOEPLAN_SERVER_AUTH_H
#define MOEPLAN_SERVER_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "server/call.h"

struct auth;

enum { AUTH_TOKENS_MAX = 1000, AUTH_TOKEN_BYTES_MAX = 512 };

/* path NULL: no tokens, everything is allowed. guard_reads: reads need a token too. ERR_INVALID
 * names the line at fault; a file without a token is an error. */
enum err_code auth_open(const char *path, bool guard_reads, struct auth **ret, struct err *err);
void auth_close(struct auth *auth);

/* Reads the file again; on an error the old tokens stay. */
enum err_code auth_reload(struct auth *auth, struct err *err);

/* Whether others than the owner may read the file. */
bool auth_file_is_open(const struct auth *auth);

/* What an Authorization header (NULL: none) may do: ERR_OK, ERR_UNAUTHORIZED with *ret_challenge
 * for WWW-Authenticate, or ERR_FORBIDDEN when the token's scope is too small. */
enum err_code auth_check(struct auth *auth, const char *authorization, enum scope scope,
                         const char **ret_challenge, struct err *err);

#endif
