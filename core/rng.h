/* rng: a small deterministic generator (splitmix64), the same on every machine.
 *
 * Copyable state, no globals. Streams of different `stream` numbers are independent, so that work
 * can be shared out in any order and give the same bits.
 */
#ifndef MOEPLAN_CORE_RNG_H
#define MOEPLAN_CORE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

struct rng rng_stream(uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *rng);
double rng_uniform(struct rng *rng);                 /* [0, 1) */
uint64_t rng_below(struct rng *rng, uint64_t limit); /* unbiased, limit > 0 */
double rng_normal(struct rng *rng);                  /* mean 0, sd 1 */

#endif
