/* fingerprint: what makes two runs, or two sets of runs, the same. Declared in values.h. */
#include "db/digest.h"
#include "db/values.h"

#include <string.h>

static void put_obs(struct digest *digest, const struct obs *obs)
{
    const double numbers[] = {obs->n_active, obs->n_total,     obs->tokens, obs->experts,
                              obs->loss,     obs->granularity, obs->weight, obs->train_flops};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        digest_real(digest, numbers[i]);
}

/* An integer that may be absent: whether it is there, then its value. */
static void put_optional(struct digest *digest, bool present, int64_t value)
{
    digest_integer(digest, present);
    digest_integer(digest, present ? value : 0);
}

void experiment_default_name(const struct experiment *experiment, char *ret_name)
{
    static const char prefix[] = "run-";
    enum { DIGITS = 16 };
    char hex[DIGEST_HEX_BYTES];
    struct digest digest;

    digest_init(&digest);
    put_obs(&digest, &experiment->obs);
    digest_real(&digest, experiment->loss_stderr);
    put_optional(&digest, experiment->present & EXPERIMENT_SEED, experiment->seed);
    put_optional(&digest, experiment->present & EXPERIMENT_STEP, experiment->step);
    digest_integer(&digest, experiment->final);
    digest_text(&digest, experiment->url);
    for (size_t i = 0; i < experiment->n_tags; i++) {
        digest_text(&digest, experiment->tags[i].name);
        digest_text(&digest, experiment->tags[i].value);
    }
    digest_finish(&digest, hex);
    memcpy(ret_name, prefix, sizeof prefix - 1);
    memcpy(ret_name + sizeof prefix - 1, hex, DIGITS);
    ret_name[sizeof prefix - 1 + DIGITS] = '\0';
}

void obs_fingerprint(const struct obs *sorted, size_t count, char ret_hex[65])
{
    struct digest digest;

    digest_init(&digest);
    for (size_t i = 0; i < count; i++)
        put_obs(&digest, &sorted[i]);
    digest_finish(&digest, ret_hex);
}
