#include "core/fit_start.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/* The box of a coefficient in its transform. */
static void box_of(const struct law_coefficient *c, double *ret_low, double *ret_high)
{
    double a = law_to_transform(c->transform, c->search_lower);
    double b = law_to_transform(c->transform, c->search_upper);

    *ret_low = fmin(a, b);
    *ret_high = fmax(a, b);
}

/* The prior that says where to look: one wider than the box says nothing. NULL when there is none.
 */
static const double *prior_of(const struct fit_problem *problem, size_t i, double *ret_sd)
{
    double low, high;

    box_of(&problem->law->coefficients[i], &low, &high);
    for (size_t m = 0; m < problem->n_priors; m++)
        if (problem->prior[m].coefficient == i && 2.0 * problem->prior[m].sd < high - low) {
            *ret_sd = problem->prior[m].sd;
            return &problem->prior[m].mean;
        }
    return NULL;
}

/* A coefficient's value in its transform: of its box, or of its prior. */
static double draw(const struct fit_problem *problem, size_t i, struct rng *rng, size_t number)
{
    double low, high, sd = 0.0;
    const double *mean = prior_of(problem, i, &sd);

    if (mean != NULL)
        return *mean + (number == 0 ? 0.0 : sd * rng_normal(rng));
    box_of(&problem->law->coefficients[i], &low, &high);
    return low + (number == 0 ? 0.5 : rng_uniform(rng)) * (high - low);
}

void fit_start_draw(const struct fit_problem *problem, uint64_t seed, size_t number, double *ret_z)
{
    const struct law *law = problem->law;
    struct rng rng = rng_stream(seed, number);
    double natural[LAW_MAX_COEFFICIENTS], effect[LAW_MAX_COEFFICIENTS] = {0}, sd;
    bool from_box[LAW_MAX_COEFFICIENTS] = {false};
    struct fit_frame frame;

    for (size_t i = 0; i < law->n_coefficients; i++) {
        natural[i] = problem->fixed[i];
        if (!problem->is_free[i])
            continue;
        natural[i] = problem->term[i] != SIZE_MAX
                         ? 0.0
                         : law_from_transform(law->coefficients[i].transform,
                                              draw(problem, i, &rng, number));
        from_box[i] = problem->place[i] != SIZE_MAX && prior_of(problem, i, &sd) == NULL;
    }
    fit_problem_frame(problem, natural, &frame);
    for (size_t o = 0; o < frame.count; o++)
        effect[o] = natural[frame.order[o]] * frame.norm[o];
    fit_frame_exponents(&frame, from_box, effect, natural);
    fit_problem_point(problem, natural, ret_z);
    fit_problem_clip(problem, ret_z);
}
