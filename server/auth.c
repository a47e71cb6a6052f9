#include "server/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "db/digest.h"

struct token {
    enum scope scope;
    char digest[DIGEST_HEX_BYTES];
};

struct auth {
    const char *path;
    bool guard_reads, is_open;
    pthread_rwlock_t lock; /* guards what follows */
    size_t n_tokens;
    struct token *tokens;
};

/* Characters of RFC 6750's b68token, and a few that people use. */
static bool is_token_text(const char *text)
{
    size_t length = strlen(text);

    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return length > 0 && length <= AUTH_TOKEN_BYTES_MAX;
}

/* One line without its newline. *ret_none: it holds no token. */
static enum err_code read_line(char *line, struct token *ret, bool *ret_none, struct err *err)
{
    char *scope = line + strspn(line, " \t"), *token;
    size_t scope_length = strcspn(scope, " \t\r");

    *ret_none = scope_length == 0 || *scope == '#';
    if (*ret_none)
        return ERR_OK;
    token = scope + scope_length + strspn(scope + scope_length, " \t");
    token[strcspn(token, "\r")] = '\0';
    for (size_t end = strlen(token); end > 0 && strchr(" \t", token[end - 1]) != NULL; end--)
        token[end - 1] = '\0';
    if (scope_length == 5 && strncmp(scope, "write", 5) == 0)
        ret->scope = SCOPE_WRITE;
    else if (scope_length == 4 && strncmp(scope, "read", 4) == 0)
        ret->scope = SCOPE_READ;
    else
        return err_set(err, ERR_INVALID, "a line starts with 'read' or 'write'");
    if (!is_token_text(token))
        return err_set(err, ERR_INVALID,
                       "a token is 1 to %d visible ASCII characters without blanks",
                       AUTH_TOKEN_BYTES_MAX);
    digest_hex(token, strlen(token), ret->digest);
    return ERR_OK;
}

static enum err_code read_lines(FILE *file, const char *path, struct token *tokens,
                                size_t *ret_count, struct err *err)
{
    char line[AUTH_TOKEN_BYTES_MAX + 64];
    unsigned number = 0;
    size_t count = 0;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(line);
        bool none = true;

        number++;
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        else if (!feof(file))
            code = err_set(err, ERR_INVALID, "the line is too long");
        if (code == ERR_OK && count == AUTH_TOKENS_MAX)
            code = err_set(err, ERR_INVALID, "more than %d tokens", AUTH_TOKENS_MAX);
        if (code == ERR_OK)
            code = read_line(line, &tokens[count], &none, err);
        count += !none;
    }
    explicit_bzero(line, sizeof line);
    if (code != ERR_OK)
        err_prefix(err, "%s, line %u: ", path, number);
    else if (ferror(file))
        code = err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno));
    else if (count == 0)
        code = err_set(err, ERR_INVALID, "%s: no token in it", path);
    *ret_count = count;
    return code;
}

enum err_code auth_reload(struct auth *auth, struct err *err)
{
    struct token *tokens = NULL, *old;
    struct stat status;
    size_t count = 0;
    FILE *file = NULL;
    enum err_code code = ERR_OK;

    if (auth->path == NULL)
        return ERR_OK;
    tokens = calloc(AUTH_TOKENS_MAX, sizeof *tokens);
    if (tokens == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for tokens");
    file = fopen(auth->path, "re");
    if (file == NULL) {
        code = err_set(err, ERR_INVALID, "%s: %s", auth->path, strerror(errno));
        goto done;
    }
    code = read_lines(file, auth->path, tokens, &count, err);
    if (code != ERR_OK)
        goto done;
    pthread_rwlock_wrlock(&auth->lock);
    auth->is_open = fstat(fileno(file), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH));
    old = auth->tokens;
    auth->tokens = tokens;
    auth->n_tokens = count;
    tokens = old;
    pthread_rwlock_unlock(&auth->lock);
done:
    if (file != NULL)
        fclose(file);
    free(tokens);
    return code;
}

enum err_code auth_open(const char *path, bool guard_reads, struct auth **ret, struct err *err)
{
    struct auth *auth = calloc(1, sizeof *auth);
    enum err_code code;

    if (auth == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for tokens");
    auth->path = path;
    auth->guard_reads = guard_reads;
    pthread_rwlock_init(&auth->lock, NULL);
    code = auth_reload(auth, err);
    if (code == ERR_OK)
        *ret = auth;
    else
        auth_close(auth);
    return code;
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    pthread_rwlock_destroy(&auth->lock);
    free(auth->tokens);
    free(auth);
}

bool auth_file_is_open(const struct auth *auth)
{
    return auth->is_open;
}

/* Compares whole digests whatever they hold, and goes through all tokens wherever the match is. */
static enum scope find_scope(struct auth *auth, const char *digest)
{
    unsigned scope = SCOPE_NONE;

    pthread_rwlock_rdlock(&auth->lock);
    for (size_t i = 0; i < auth->n_tokens; i++) {
        unsigned difference = 0, equal;

        for (size_t k = 0; k < DIGEST_HEX_BYTES - 1; k++)
            difference |= (unsigned)(auth->tokens[i].digest[k] ^ digest[k]) & 0xFF;
        equal = (difference - 1) >> 31; /* 1 when difference is 0 */
        scope |= (unsigned)auth->tokens[i].scope & (0u - equal);
    }
    pthread_rwlock_unlock(&auth->lock);
    return scope & SCOPE_WRITE ? SCOPE_WRITE : (enum scope)scope;
}

enum err_code auth_check(struct auth *auth, const char *authorization, enum scope scope,
                         const char **ret_challenge, struct err *err)
{
    char digest[DIGEST_HEX_BYTES];
    const char *token;
    enum scope granted;

    if (auth->path == NULL || scope == SCOPE_NONE || (scope == SCOPE_READ && !auth->guard_reads))
        return ERR_OK;
    *ret_challenge = "Bearer realm=\"moeplan\"";
    if (authorization == NULL)
        return err_set(err, ERR_UNAUTHORIZED, "this needs a token: Authorization: Bearer …");
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return err_set(err, ERR_UNAUTHORIZED,
                       "the Authorization header must be 'Bearer' and a token");
    token = authorization + 7 + strspn(authorization + 7, " ");
    digest_hex(token, strlen(token), digest);
    granted = find_scope(auth, digest);
    if (granted == SCOPE_NONE) {
        *ret_challenge = "Bearer realm=\"moeplan\", error=\"invalid_token\"";
        return err_set(err, ERR_UNAUTHORIZED, "the token is not known");
    }
    if (granted < scope)
        return err_set(err, ERR_FORBIDDEN, "the token may read, but not write");
    return ERR_OK;
}
