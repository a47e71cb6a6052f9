#include "core/fit_lm.h"

#include <gsl/gsl_errno.h>
#include <math.h>
#include <string.h>

#include "core/fit_step_rows.h"

enum { STEPS = 30, PATIENT_STEPS = 5000 };

/* Steps that lower the objective by less than this share are left to others. */
static const double enough = 1e-2, enough_of_patience = 1e-12;

/* The length of a step, in units of what is looked along, that shows a second derivative. */
static const double bend = 0.02;

/* Stands for a point where the law has no finite value: GSL refuses the step, as it cannot an
 * infinity. */
static const double absurd = 1e100;

enum err_code fit_lm_init(struct fit_lm *lm, struct fit_polish *polish, bool patient,
                          struct err *err)
{
    gsl_multilarge_nlinear_parameters parameters = gsl_multilarge_nlinear_default_parameters();
    const struct fit_problem *problem = polish->problem;

    *lm = (struct fit_lm){
        .polish = polish,
        .enough = patient ? enough_of_patience : enough,
        .steps = patient ? PATIENT_STEPS : STEPS,
    };
    if (problem->p == 0 || problem->n_rows < problem->p)
        return ERR_OK;
    parameters.solver = gsl_multilarge_nlinear_solver_cholesky; /* z is well scaled */
    if (patient)
        parameters.trs = gsl_multilarge_nlinear_trs_lmaccel;
    lm->machine = gsl_multilarge_nlinear_alloc(gsl_multilarge_nlinear_trust, &parameters,
                                               problem->n_rows, problem->p);
    return lm->machine != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "out of memory for a fit of %zu runs", problem->n);
}

void fit_lm_release(struct fit_lm *lm)
{
    if (lm->machine != NULL)
        gsl_multilarge_nlinear_free(lm->machine);
    lm->machine = NULL;
}

/* GSL's point, within the bounds. */
static void take_point(const struct fit_problem *problem, const gsl_vector *at, double *ret_z)
{
    for (size_t j = 0; j < problem->p; j++)
        ret_z[j] = gsl_vector_get(at, j);
    fit_problem_clip(problem, ret_z);
}

/* f of row i, and unless NULL its slope by the residual. */
static double root_of(const struct fit_lm *lm, size_t i, double r, double *ret_slope)
{
    double delta = i < lm->polish->problem->n ? fit_problem_delta(lm->polish->problem) : INFINITY;
    double size = fabs(r), root = sqrt(lm->polish->weight[i]), f;

    if (size <= delta) {
        if (ret_slope != NULL)
            *ret_slope = root;
        return root * r;
    }
    f = root * sqrt(delta * (2.0 * size - delta));
    if (ret_slope != NULL)
        *ret_slope = f > 0.0 ? root * root * delta / f : 0.0;
    return copysign(f, r);
}

static int set_f(const gsl_vector *at, void *params, gsl_vector *ret_f)
{
    const struct fit_lm *lm = params;
    struct fit_polish *polish = lm->polish;
    const struct fit_problem *problem = polish->problem;
    double z[LAW_MAX_COEFFICIENTS] = {0};
    bool finite;

    take_point(problem, at, z);
    finite = fit_problem_evaluate(problem, z, polish->trial, NULL);
    for (size_t i = 0; i < problem->n_rows; i++)
        gsl_vector_set(ret_f, i, finite ? root_of(lm, i, polish->trial[i], NULL) : absurd);
    return GSL_SUCCESS;
}

/* Which coordinates stay at a bound, the slope pointing outwards. */
static void find_held(struct fit_lm *lm, const double *z, const double *gradient)
{
    const struct fit_problem *problem = lm->polish->problem;

    for (size_t j = 0; j < problem->p; j++)
        lm->held[j] = (z[j] <= problem->lower[j] && gradient[j] > 0.0) ||
                      (z[j] >= problem->upper[j] && gradient[j] < 0.0);
}

/* Sums over the slopes of all rows, whatever their residuals. */
static struct fit_step rows_of(const struct fit_polish *polish)
{
    const struct fit_problem *problem = polish->problem;

    return (struct fit_step){
        .n = problem->n_rows,
        .n_rows = problem->n_rows,
        .p = problem->p,
        .stride = problem->stride,
        .jacobian = polish->ahead,
        .weight = polish->along,
        .delta = INFINITY,
    };
}

/* Jᵀ·u and, with u = f, Jᵀ·J; rows J_i = −slope_i·(∂r/∂z)_i, zeros for what is held, which GSL then
 * leaves alone. Its Cholesky solver never asks for J·u. */
static int set_slopes(CBLAS_TRANSPOSE_t transpose, const gsl_vector *at, const gsl_vector *u,
                      void *params, gsl_vector *ret, gsl_matrix *ret_normal)
{
    struct fit_lm *lm = params;
    struct fit_polish *polish = lm->polish;
    const struct fit_problem *problem = polish->problem;
    struct fit_step rows = rows_of(polish);
    double z[LAW_MAX_COEFFICIENTS] = {0}, sums[LAW_MAX_COEFFICIENTS];
    struct fit_matrix normal;

    take_point(problem, at, z);
    if (transpose != CblasTrans || !fit_problem_evaluate(problem, z, polish->trial, polish->ahead))
        return GSL_EBADFUNC;
    for (size_t i = 0; i < problem->n_rows; i++) {
        double slope;

        (void)root_of(lm, i, polish->trial[i], &slope);
        polish->along[i] = slope * slope;
        polish->linear[i] = slope > 0.0 ? gsl_vector_get(u, i) / slope : 0.0;
    }
    fit_step_sums(&rows, polish->linear, sums, &normal);
    if (ret_normal != NULL)
        find_held(lm, z, sums);
    for (size_t j = 0; j < problem->p; j++) {
        gsl_vector_set(ret, j, lm->held[j] ? 0.0 : sums[j]);
        for (size_t k = 0; k < problem->p && ret_normal != NULL; k++)
            gsl_matrix_set(ret_normal, j, k, lm->held[j] || lm->held[k] ? 0.0 : normal.at[j][k]);
    }
    return GSL_SUCCESS;
}

/* The second derivative of f along v, which geodesic acceleration asks for: what a step of bend·v
 * leaves of the change that the slopes foretell. */
static int set_bend(const gsl_vector *at, const gsl_vector *v, void *params, gsl_vector *ret)
{
    const struct fit_lm *lm = params;
    struct fit_polish *polish = lm->polish;
    const struct fit_problem *problem = polish->problem;
    struct fit_step rows = rows_of(polish);
    double z[LAW_MAX_COEFFICIENTS] = {0}, move[LAW_MAX_COEFFICIENTS] = {0};

    take_point(problem, at, z);
    if (!fit_problem_evaluate(problem, z, polish->trial, polish->ahead))
        return GSL_EBADFUNC;
    for (size_t j = 0; j < problem->p; j++)
        move[j] = gsl_vector_get(v, j);
    fit_step_along(&rows, move, polish->along);
    for (size_t i = 0; i < problem->n_rows; i++) {
        double slope, f = root_of(lm, i, polish->trial[i], &slope);

        gsl_vector_set(ret, i, f - bend * slope * polish->along[i]);
    }
    for (size_t j = 0; j < problem->p; j++)
        z[j] = gsl_vector_get(at, j) + bend * move[j];
    fit_problem_clip(problem, z);
    if (!fit_problem_evaluate(problem, z, polish->trial, NULL))
        return GSL_EBADFUNC;
    for (size_t i = 0; i < problem->n_rows; i++)
        gsl_vector_set(ret, i,
                       2.0 / (bend * bend) *
                           (root_of(lm, i, polish->trial[i], NULL) - gsl_vector_get(ret, i)));
    return GSL_SUCCESS;
}

static double sum_of_squares(const gsl_multilarge_nlinear_workspace *machine)
{
    const gsl_vector *f = gsl_multilarge_nlinear_residual(machine);
    double sum = 0.0;

    for (size_t i = 0; i < f->size; i++)
        sum += gsl_vector_get(f, i) * gsl_vector_get(f, i);
    return sum;
}

void fit_lm_run(struct fit_lm *lm, double *z)
{
    const struct fit_problem *problem = lm->polish->problem;
    gsl_vector_view start = gsl_vector_view_array(z, problem->p);
    gsl_multilarge_nlinear_fdf system = {
        .f = set_f,
        .df = set_slopes,
        .fvv = set_bend,
        .n = problem->n_rows,
        .p = problem->p,
        .params = lm,
    };
    double before, after;

    if (lm->machine == NULL)
        return;
    fit_problem_clip(problem, z);
    if (gsl_multilarge_nlinear_init(&start.vector, &system, lm->machine) != GSL_SUCCESS)
        return;
    after = sum_of_squares(lm->machine);
    for (int step = 0; step < lm->steps; step++) {
        before = after;
        if (gsl_multilarge_nlinear_iterate(lm->machine) != GSL_SUCCESS)
            break;
        after = sum_of_squares(lm->machine);
        if (!(before - after > lm->enough * before))
            break;
    }
    take_point(problem, gsl_multilarge_nlinear_position(lm->machine), z);
}
