/* fit_problem: the runs of one fit as arrays, and its objective in well-scaled coordinates.
 *
 * The fit's own inside; nobody else includes it. A point z has one coordinate per free coefficient,
 * in descriptor order:
 * - an amplitude: z = A_k·φ_k(centre; θ)/exp(shift), its share of the loss at the centre of the
 * runs;
 * - an exponent of the frame: its effect (fit_frame.h);
 * - E_max: ln(1 − E_start/E_max);
 * - kappa: t/(1 + t) of t = κ·ln(Ê/E_start) at the centre, which E_start and E_max do not move;
 * - any other: the coefficient in its transform.
 * So a change of units of parameters, tokens or loss leaves z where it is, and amplitudes do not
 * move with exponents. Amplitudes of laws with signed terms or without logarithms are taken as they
 * are.
 *
 * Residual rows: n runs, then one per prior: r = y − f(z); prior rows are always squared.
 * Bounds are a box in z.
 * Owns nothing: arrays live in the arena given to fit_problem_init.
 */
#ifndef MOEPLAN_CORE_FIT_PROBLEM_H
#define MOEPLAN_CORE_FIT_PROBLEM_H

#include "core/fit.h"
#include "core/fit_frame.h"
#include "core/fit_matrix.h"

enum {
    FIT_BLOCK = 64, /* runs whose terms are computed at a time: stays in cache */
    FIT_LANE = 4,   /* rows of the Jacobian are padded with zeros to whole lanes */
};

/* Terms at the centre beyond this: the exponents have run so far along a valley that the amplitudes
 * which make up for them are about to leave the range of a double. */
#define FIT_TERM_MOST 1e250

/* Hot loops are built twice and chosen at load time; neither build contracts or reorders sums, so
 * that the bits do not depend on the machine. Sanitizers do not know such functions. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FIT_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define FIT_CLONES
#endif

/* A lane in one register, or two where there are no wider ones; and its comparisons. */
typedef double fit_lane __attribute__((vector_size(FIT_LANE * sizeof(double))));
typedef int64_t fit_lane_mask __attribute__((vector_size(FIT_LANE * sizeof(int64_t))));

struct fit_problem {
    const struct law *law;
    struct robust robust;
    size_t n, n_rows; /* runs; and with the priors */
    struct law_x *x;  /* n */
    double *y;        /* n_rows: response of the runs − shift; 0 for priors */
    double *weight;   /* n_rows */
    size_t p;         /* free coefficients */
    size_t stride;    /* of a row of the Jacobian: p in whole lanes */
    size_t n_pairs;   /* terms that move with a searched coefficient */
    struct {
        size_t term, coefficient;
    } pair[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    size_t index[LAW_MAX_COEFFICIENTS];      /* of coordinate j in the law's descriptor */
    size_t coordinate[LAW_MAX_COEFFICIENTS]; /* the way back; SIZE_MAX where fixed */
    size_t term[LAW_MAX_COEFFICIENTS];       /* of an amplitude; SIZE_MAX for the others */
    size_t amplitude[LAW_MAX_TERMS];         /* the coefficient of a term */
    double fixed[LAW_MAX_COEFFICIENTS];      /* natural values where not free */
    double lower[LAW_MAX_COEFFICIENTS], upper[LAW_MAX_COEFFICIENTS]; /* box, by coordinate */
    size_t e_start, e_max, kappa;         /* descriptor indices, SIZE_MAX when the law has none */
    bool is_factor[LAW_MAX_COEFFICIENTS]; /* by coordinate: amplitudes, and weights within terms */
    bool normalised;                      /* whether amplitudes are taken at the centre */
    struct law_x centre;
    double shift;           /* mean ln loss, or 0 */
    struct fit_frame frame; /* at the fixed saturations, or the middle of their boxes */
    bool frame_moves;       /* a saturation is free: the frame is that of each point */
    bool is_free[LAW_MAX_COEFFICIENTS];
    size_t place[LAW_MAX_COEFFICIENTS];  /* in the frame's order, by descriptor; SIZE_MAX */
    double middle[LAW_MAX_COEFFICIENTS]; /* natural values the frame is taken at */
    size_t n_frame_x;
    struct law_x frame_x[FIT_FRAME_RUNS];
    size_t n_priors;
    struct {
        size_t coefficient;
        double mean, sd; /* in the coefficient's transform */
    } prior[LAW_MAX_COEFFICIENTS];
};

/* Makes the arrays of obs[count] (sorted already, weights > 0). is_free and natural by descriptor
 * index. ERR_NO_MEMORY. */
enum err_code fit_problem_init(struct fit_problem *problem, const struct fit_options *options,
                               const bool *is_free, const double *natural, const struct obs *obs,
                               size_t count, struct arena *arena, struct err *err);

/* A problem over one run in `stride` of another, or a few more so that each E and G has some:
 * shares nothing but the law. ERR_NO_MEMORY. */
enum err_code fit_problem_thin(const struct fit_problem *from, size_t stride, struct arena *arena,
                               struct fit_problem *ret_thin, struct err *err);

/* Moves z into the bounds. */
void fit_problem_clip(const struct fit_problem *problem, double *z);

/* z -> natural coefficients and back. Amplitudes may overflow to INFINITY; all NAN where z cannot
 * be computed with. */
void fit_problem_natural(const struct fit_problem *problem, const double *z,
                         double *ret_coefficients);
void fit_problem_point(const struct fit_problem *problem, const double *coefficients,
                       double *ret_z);

/* The free coefficients in their transforms, and their slopes: ret_slopes.at[j][k] = ∂x_j/∂z_k. */
void fit_problem_transformed(const struct fit_problem *problem, const double *z, double *ret_x,
                             struct fit_matrix *ret_slopes);

/* Whether a term's value at the centre leaves room for the amplitude that goes with it. */
bool fit_problem_term_in_range(double term);

/* The frame at the saturations among natural coefficients. */
void fit_problem_frame(const struct fit_problem *problem, const double *natural,
                       struct fit_frame *ret_frame);

/* ∂coefficient_i/∂z_j for the coefficients that are not amplitudes (1/coefficient for
 * LAW_RECIPROCAL), and the natural values of those. */
void fit_problem_searched(const struct fit_problem *problem, const double *z, double *ret_natural,
                          double (*ret_chain)[LAW_MAX_COEFFICIENTS]);

/* Residuals and, unless NULL, the Jacobian ∂f/∂z (n_rows × stride, row by row, padded
 * with zeros). Returns false when a
 * value is not finite (the arrays are then half filled). */
bool fit_problem_evaluate(const struct fit_problem *problem, const double *z, double *ret_residuals,
                          double *ret_jacobian);

/* By how much rounding may make the objective at z too small: of the coefficients as they are told
 * and of the terms, to first order. Next to nothing but where E_start nearly is E_max, or terms
 * cancel, and coefficients of 1e8 and more undo each other. INFINITY where a value is not finite.
 */
double fit_problem_rounding(const struct fit_problem *problem, const double *z);

/* Σ_i pull_i·∂f_i/∂z over runs and priors (p values): the Jacobian's transpose times n_rows values,
 * without making it. Returns false when a value is not finite. */
bool fit_problem_pull(const struct fit_problem *problem, const double *z, const double *pull,
                      double *ret_slope);

/* The threshold of the problem's loss: delta, or INFINITY for squared. */
double fit_problem_delta(const struct fit_problem *problem);

#endif
