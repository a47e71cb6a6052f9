#include "core/plan_line.h"

#include <float.h>
#include <math.h>

#include "core/lanes.h"

/* What rounding and PLAN_LINE_OFF change of a loss, relative, with room: exponents are at most
 * most_exponent. */
static const double unsure = 1e-7, most_exponent = 4;

bool plan_line_init(struct plan_line *line, size_t most, struct arena *arena)
{
    double **const column[] = {
        &line->least,
        &line->most,
        &line->c,
        &line->size[0],
        &line->size[1],
        &line->data[0],
        &line->data[1],
        &line->size_growth[PLAN_LINE_STEP],
        &line->size_growth[PLAN_LINE_LEAP],
        &line->data_growth[PLAN_LINE_STEP],
        &line->data_growth[PLAN_LINE_LEAP],
        &line->size_bend,
        &line->data_bend,
        &line->loss[0],
        &line->loss[1],
        &line->bend_least,
        &line->bend_most,
    };
    enum { COLUMNS = sizeof column / sizeof *column };
    double *block = arena_alloc(arena, COLUMNS * (most + 1) * sizeof *block);

    for (size_t j = 0; j < COLUMNS && block; j++)
        *column[j] = block + j * (most + 1);
    return block != NULL;
}

static bool is_told(double m, double mu, double n, double nu, double c)
{
    return m >= 0 && n >= 0 && c >= 0 && fabs(mu) <= most_exponent && fabs(nu) <= most_exponent;
}

static bool are_told(const struct plan_draws *draws)
{
    bool told = draws->count == draws->model->n_draws && draws->n_size_terms == 1;

    for (size_t i = 0; i < draws->count && told; i++)
        told = is_told(draws->m[0][i], draws->mu[0][i], draws->n[i], draws->nu[i], draws->c[i]);
    return told;
}

/* Terms m·x^mu at ln x, x changing as e^(by·s); the last is the fit's own. */
struct terms {
    const double *m, *mu;
    double own_m, own_mu, ln_x, by;
};

static void begin_terms(const struct plan_line *line, const struct terms *terms, double *ret_term,
                        double *const ret_growth[PLAN_LINE_STRETCHES], double *ret_bend)
{
    size_t count = line->count;

    for (size_t i = 0; i <= count; i++) {
        double mu = i < count ? terms->mu[i] : terms->own_mu, slope = mu * terms->by;

        ret_term[i] = mu * terms->ln_x;
        for (int k = 0; k < PLAN_LINE_STRETCHES; k++)
            ret_growth[k][i] = slope * line->wide[k];
        ret_bend[i] = slope * slope;
    }
    lanes_exp_each(ret_term, count + 1);
    for (int k = 0; k < PLAN_LINE_STRETCHES; k++)
        lanes_exp_each(ret_growth[k], count + 1);
    for (size_t i = 0; i <= count; i++)
        ret_term[i] *= i < count ? terms->m[i] : terms->own_m;
}

bool plan_line_begin(struct plan_line *line, const struct plan_draws *draws,
                     const struct law_slice *own, const struct plan_closed_form *form, double s)
{
    const double ln_n = form->ln_g + form->ratio * s;
    const struct terms size = {
        draws->m[0], draws->mu[0], own->m[0], own->mu[0], ln_n, form->ratio,
    };
    const struct terms data = {draws->n, draws->nu, own->n, own->nu, s - ln_n, 1 - form->ratio};

    if (!are_told(draws) || !is_told(own->m[0], own->mu[0], own->n, own->nu, own->c))
        return false;
    line->count = draws->count;
    memcpy(line->c, draws->c, line->count * sizeof *line->c);
    line->c[line->count] = own->c;
    begin_terms(line, &size, line->size[1], line->size_growth, line->size_bend);
    begin_terms(line, &data, line->data[1], line->data_growth, line->data_bend);
    return true;
}

void plan_line_take(struct plan_line *line, const struct plan_line *from, const uint32_t *draw,
                    size_t count)
{
    line->count = count;
    for (size_t j = 0; j <= count; j++) {
        size_t i = j < count ? draw[j] : from->count;

        line->c[j] = from->c[i];
        line->size[1][j] = from->size[0][i];
        line->data[1][j] = from->data[0][i];
        line->size_growth[PLAN_LINE_STEP][j] = from->size_growth[PLAN_LINE_STEP][i];
        line->data_growth[PLAN_LINE_STEP][j] = from->data_growth[PLAN_LINE_STEP][i];
        line->size_bend[j] = from->size_bend[i];
        line->data_bend[j] = from->data_bend[i];
    }
}

LANES_CLONES
static void grow(double *term[2], const double *restrict growth, size_t count)
{
    double *restrict a = term[1], *restrict b = term[0];

    term[0] = a;
    term[1] = b;
    for (size_t i = 0; i < count; i++)
        b[i] = a[i] * growth[i];
}

/* What terms make at both ends: the loss, and the bounds of its second derivative. */
LANES_CLONES
static void fill_ends(const struct plan_line *line, size_t count)
{
    const double *restrict size_a = line->size[0], *restrict size_b = line->size[1];
    const double *restrict data_a = line->data[0], *restrict data_b = line->data[1];
    const double *restrict size_bend = line->size_bend, *restrict data_bend = line->data_bend;
    const double *restrict c = line->c;
    double *restrict loss_a = line->loss[0], *restrict loss_b = line->loss[1];
    double *restrict bend_least = line->bend_least, *restrict bend_most = line->bend_most;

    for (size_t i = 0; i < count; i++) {
        double size = size_a[i] < size_b[i] ? size_a[i] : size_b[i];
        double data = data_a[i] < data_b[i] ? data_a[i] : data_b[i];
        double bend_a = size_bend[i] * size_a[i] + data_bend[i] * data_a[i];
        double bend_b = size_bend[i] * size_b[i] + data_bend[i] * data_b[i];

        loss_a[i] = size_a[i] + data_a[i] + c[i];
        loss_b[i] = size_b[i] + data_b[i] + c[i];
        bend_least[i] = size_bend[i] * size + data_bend[i] * data;
        bend_most[i] = bend_a > bend_b ? bend_a : bend_b;
    }
}

/* How many bounds are not finite. */
LANES_CLONES
static size_t fill_bounds(const struct plan_line *line, size_t count, double wide)
{
    const double *restrict loss_a = line->loss[0], *restrict loss_b = line->loss[1];
    const double *restrict bend_least = line->bend_least, *restrict bend_most = line->bend_most;
    const double eighth = wide * wide / 8, own_a = loss_a[count], own_b = loss_b[count];
    const double own_least = bend_least[count], own_most = bend_most[count];
    double *restrict least = line->least, *restrict most = line->most;
    size_t strange = 0;

    for (size_t i = 0; i < count; i++) {
        double a = loss_a[i] - own_a, b = loss_b[i] - own_b;
        double below = bend_most[i] - own_least, above = own_most - bend_least[i];
        double off = unsure * (loss_a[i] + loss_b[i]);

        below = below > 0 ? below : 0;
        above = above > 0 ? above : 0;
        least[i] = (a < b ? a : b) - eighth * below - off;
        most[i] = (a > b ? a : b) + eighth * above + off;
        strange += most[i] - least[i] <= DBL_MAX ? 0 : 1;
    }
    return strange;
}

bool plan_line_go(struct plan_line *line, enum plan_line_stretch stretch)
{
    grow(line->size, line->size_growth[stretch], line->count + 1);
    grow(line->data, line->data_growth[stretch], line->count + 1);
    fill_ends(line, line->count + 1);
    return fill_bounds(line, line->count, line->wide[stretch]) == 0;
}
