#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/auth.h"

static const char path_template[] = "/tmp/moeplan-tokens-XXXXXX";
struct tokens {
    char path[sizeof path_template];
    struct auth *auth;
    struct err err;
};

static void put_file(struct tokens *tokens, const char *text)
{
    FILE *file = fopen(tokens->path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static int make(void **state)
{
    static struct tokens tokens;
    int fd;

    tokens = (struct tokens){.auth = NULL};
    strcpy(tokens.path, path_template);
    fd = mkstemp(tokens.path);
    assert_true(fd >= 0);
    close(fd);
    err_init(&tokens.err, NULL);
    *state = &tokens;
    return 0;
}

static int drop(void **state)
{
    struct tokens *tokens = *state;

    auth_close(tokens->auth);
    unlink(tokens->path);
    return 0;
}

static void open_with(struct tokens *tokens, const char *text, bool guard_reads)
{
    put_file(tokens, text);
    assert_int_equal(auth_open(tokens->path, guard_reads, &tokens->auth, &tokens->err), ERR_OK);
}

static enum err_code check(struct tokens *tokens, const char *authorization, enum scope scope)
{
    const char *challenge = NULL;
    enum err_code code;

    err_init(&tokens->err, NULL);
    code = auth_check(tokens->auth, authorization, scope, &challenge, &tokens->err);
    if (code == ERR_UNAUTHORIZED)
        assert_int_equal(strncmp(challenge, "Bearer", 6), 0);
    return code;
}

static void without_a_file_everything_is_allowed(void **state)
{
    struct tokens *tokens = *state;

    assert_int_equal(auth_open(NULL, false, &tokens->auth, &tokens->err), ERR_OK);
    assert_int_equal(check(tokens, NULL, SCOPE_WRITE), ERR_OK);
    assert_int_equal(check(tokens, "Bearer nonsense", SCOPE_WRITE), ERR_OK);
}

static void a_token_allows_its_scope(void **state)
{
    struct tokens *tokens = *state;

    open_with(tokens, "read reading\nwrite writing\n", true);
    assert_int_equal(check(tokens, "Bearer writing", SCOPE_WRITE), ERR_OK);
    assert_int_equal(check(tokens, "Bearer writing", SCOPE_READ), ERR_OK);
    assert_int_equal(check(tokens, "Bearer reading", SCOPE_READ), ERR_OK);
    assert_int_equal(check(tokens, "Bearer reading", SCOPE_WRITE), ERR_FORBIDDEN);
    assert_int_equal(check(tokens, NULL, SCOPE_READ), ERR_UNAUTHORIZED);
    assert_int_equal(check(tokens, NULL, SCOPE_NONE), ERR_OK);
}

static void reads_are_open_unless_they_are_guarded(void **state)
{
    struct tokens *tokens = *state;

    open_with(tokens, "write writing\n", false);
    assert_int_equal(check(tokens, NULL, SCOPE_READ), ERR_OK);
    assert_int_equal(check(tokens, NULL, SCOPE_WRITE), ERR_UNAUTHORIZED);
}

static void only_the_whole_token_counts(void **state)
{
    static const char *const wrong[] = {"Bearer writin",
                                        "Bearer writing1",
                                        "Bearer Writing",
                                        "Bearer ",
                                        "Bearer",
                                        "Bearerwriting",
                                        "Basic writing",
                                        "writing",
                                        "Bearer writing x",
                                        "Bearer write writing",
                                        ""};
    struct tokens *tokens = *state;

    open_with(tokens, "write writing\n", false);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(check(tokens, wrong[i], SCOPE_WRITE), ERR_UNAUTHORIZED);
    assert_int_equal(check(tokens, "bearer  writing", SCOPE_WRITE), ERR_OK);
}

static void comments_blank_lines_and_line_ends_are_skipped(void **state)
{
    struct tokens *tokens = *state;

    open_with(tokens, "# a comment\n\n  \r\n  write\t a-token \r\nread last", false);
    assert_int_equal(check(tokens, "Bearer a-token", SCOPE_WRITE), ERR_OK);
    assert_int_equal(check(tokens, "Bearer last", SCOPE_WRITE), ERR_FORBIDDEN);
}

static void a_token_listed_twice_has_its_wider_scope(void **state)
{
    struct tokens *tokens = *state;

    open_with(tokens, "write twice\nread twice\n", true);
    assert_int_equal(check(tokens, "Bearer twice", SCOPE_WRITE), ERR_OK);
}

static void bad_files_are_refused_naming_the_line(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"read ok\nadmin token\n", "line 2"},
        {"write\n", "line 1"},
        {"write two words\n", "line 1"},
        {"write caf\xC3\xA9\n", "line 1"},
        {"", "no token"},
        {"# nothing\n", "no token"},
        {"writex token\n", "line 1"},
        {"WRITE token\n", "line 1"},
    };
    struct tokens *tokens = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file(tokens, bad[i].text);
        err_init(&tokens->err, NULL);
        assert_int_equal(auth_open(tokens->path, false, &tokens->auth, &tokens->err), ERR_INVALID);
        assert_non_null(strstr(tokens->err.detail, bad[i].says));
        assert_null(strstr(tokens->err.detail, "token\n"));
    }
    err_init(&tokens->err, NULL);
    assert_int_equal(auth_open("/nowhere/at/all", false, &tokens->auth, &tokens->err), ERR_INVALID);
    assert_null(tokens->auth);
}

static void a_long_token_is_taken_and_a_longer_one_not(void **state)
{
    struct tokens *tokens = *state;
    char text[AUTH_TOKEN_BYTES_MAX + 20], header[AUTH_TOKEN_BYTES_MAX + 20];

    snprintf(text, sizeof text, "write %0*d", AUTH_TOKEN_BYTES_MAX, 7);
    snprintf(header, sizeof header, "Bearer %0*d", AUTH_TOKEN_BYTES_MAX, 7);
    open_with(tokens, text, false);
    assert_int_equal(check(tokens, header, SCOPE_WRITE), ERR_OK);
    snprintf(text, sizeof text, "write %0*d", AUTH_TOKEN_BYTES_MAX + 1, 7);
    put_file(tokens, text);
    err_init(&tokens->err, NULL);
    assert_int_equal(auth_reload(tokens->auth, &tokens->err), ERR_INVALID);
}

static void a_reload_changes_tokens_and_a_bad_one_keeps_them(void **state)
{
    struct tokens *tokens = *state;

    open_with(tokens, "write first\n", false);
    put_file(tokens, "write second\n");
    assert_int_equal(auth_reload(tokens->auth, &tokens->err), ERR_OK);
    assert_int_equal(check(tokens, "Bearer first", SCOPE_WRITE), ERR_UNAUTHORIZED);
    assert_int_equal(check(tokens, "Bearer second", SCOPE_WRITE), ERR_OK);
    put_file(tokens, "nonsense\n");
    assert_int_equal(auth_reload(tokens->auth, &tokens->err), ERR_INVALID);
    assert_int_equal(check(tokens, "Bearer second", SCOPE_WRITE), ERR_OK);
}

static void a_file_others_can_read_is_noticed(void **state)
{
    struct tokens *tokens = *state;

    open_with(tokens, "write writing\n", false);
    assert_false(auth_file_is_open(tokens->auth));
    assert_int_equal(chmod(tokens->path, 0644), 0);
    assert_int_equal(auth_reload(tokens->auth, &tokens->err), ERR_OK);
    assert_true(auth_file_is_open(tokens->auth));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_file_everything_is_allowed, make, drop),
        cmocka_unit_test_setup_teardown(a_token_allows_its_scope, make, drop),
        cmocka_unit_test_setup_teardown(reads_are_open_unless_they_are_guarded, make, drop),
        cmocka_unit_test_setup_teardown(only_the_whole_token_counts, make, drop),
        cmocka_unit_test_setup_teardown(comments_blank_lines_and_line_ends_are_skipped, make, drop),
        cmocka_unit_test_setup_teardown(a_token_listed_twice_has_its_wider_scope, make, drop),
        cmocka_unit_test_setup_teardown(bad_files_are_refused_naming_the_line, make, drop),
        cmocka_unit_test_setup_teardown(a_long_token_is_taken_and_a_longer_one_not, make, drop),
        cmocka_unit_test_setup_teardown(a_reload_changes_tokens_and_a_bad_one_keeps_them, make,
                                        drop),
        cmocka_unit_test_setup_teardown(a_file_others_can_read_is_noticed, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
