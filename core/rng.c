#include "core/rng.h"

#include <math.h>

static const uint64_t golden_gamma = 0x9E3779B97F4A7C15u;

/* splitmix64's finaliser (Steele, Lea, Flood 2014; Stafford's variant 13): a bijection in which
 * every input bit reaches every output bit. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The seed is mixed before the stream is added, and the sum again, so that neighbouring seeds and
 * streams start at unrelated places of the one cycle of 2^64. */
struct rng rng_stream(uint64_t seed, uint64_t stream)
{
    return (struct rng){.state = mix(mix(seed + golden_gamma) + stream * golden_gamma)};
}

uint64_t rng_next(struct rng *rng)
{
    rng->state += golden_gamma;
    return mix(rng->state);
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* The lowest 2^64 mod limit values are thrown away, so that what is left divides evenly. */
uint64_t rng_below(struct rng *rng, uint64_t limit)
{
    uint64_t unfair = (0 - limit) % limit;
    uint64_t drawn;

    do
        drawn = rng_next(rng);
    while (drawn < unfair);
    return drawn % limit;
}

/* Box–Muller; the second value is thrown away so that the state stays one word. */
double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2 * log(1 - rng_uniform(rng))); /* 1 − u is never 0 */

    return radius * cos(2 * M_PI * rng_uniform(rng));
}
