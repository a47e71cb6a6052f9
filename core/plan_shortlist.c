/* Of losses L_i(s) along a piece of a line, s from s_a to s_b, each a sum of exponentials of s and
 * so convex, the same function may be taken, L_0, and their order stays. A function lies below its
 * chord by at most (s_b − s_a)²/8 times the greatest its second derivative is, and above it as its
 * opposite lies below. L_i″, convex too, is greatest at an end, and each of its terms least at one:
 *
 *     L_i − L_0 >= its lesser end − (s_b − s_a)²/8·max(0, max L_i″ − min L_0″)
 *     L_i − L_0 <= its greater end + (s_b − s_a)²/8·max(0, max L_0″ − min L_i″)
 *
 * The k-th smallest is never less than the k-th of the least there can be, the next never more than
 * the (k+1)-th of the most.
 */
#include "core/plan_shortlist.h"

#include <float.h>
#include <math.h>

#include "core/plan_draws.h"
#include "core/plan_slice.h"

static const double log2_e = 1.44269504088896340736;

/* s of 1e19 FLOPs; and ln 2, a piece. */
static const double first = 41.957357297658813, step = 0.69314718055994531;

/* How far off the line an x may be; what that and rounding change of a loss, relative, with room:
 * exponents are at most most_exponent. */
static const double off_line = 1e-9, unsure = 1e-7;

/* What makes single precision promise `error`, relative to a loss of least_loss or more: a term is
 * 2^e, e the log2 of its size in the middle, which is at most most_log2 (one below no_term is as
 * good as none), and its change from there, at most 2. With u = 2^-24 that is rounded by
 * (2·|e| + 20)·u, which of an e < 0 counts for as little as the term does; and near_exp2 is off by
 * 2^-18. */
static const double most_exponent = 4, most_log2 = 20, no_term = -80, least_loss = 0x1p-6;
static const double error = 0x1p-17;

/* Of each draw, and of the fit itself after them: its slice; its terms at both ends of the piece,
 * by what they grow along one, and their second derivatives by s over them; what they make; and
 * bounds of the loss less the fit's own. */
struct columns {
    double *m, *mu, *n, *nu, *c;
    double *size[2], *data[2], *size_growth, *data_growth, *size_bend, *data_bend;
    double *loss[2], *bend_least, *bend_most;
    double *least, *most, *some;
};
enum { COLUMNS = sizeof(struct columns) / sizeof(double *) };

struct work {
    const struct plan_model *model;
    struct arena *arena;
    size_t count;
    struct plan_quantile q[2];
    struct plan_draws draws;
    struct columns of;
    float *near;
    uint8_t *room;
    uint32_t *listed;
};

static bool work_init(struct work *work, const struct plan_model *model, double level,
                      struct arena *arena, struct arena *scratch)
{
    size_t count = model->n_draws, all = count + 1;
    double low = (1 - level) / 2, *block = arena_alloc(scratch, COLUMNS * all * sizeof *block);
    double *column[COLUMNS];

    *work = (struct work){
        .model = model,
        .arena = arena,
        .count = count,
        .q = {plan_quantile_at(low, count), plan_quantile_at(1 - low, count)},
        .near = arena_alloc(scratch, (count + NEAR_LANES) * sizeof *work->near),
        .room = arena_alloc(scratch, plan_quantile_room(count)),
        .listed = arena_alloc(scratch, (all + PLAN_SHORTLIST_MOST) * sizeof *work->listed),
    };
    if (!block || !work->near || !work->room || !work->listed ||
        !plan_draws_init(&work->draws, model, scratch))
        return false;
    for (size_t j = 0; j < COLUMNS; j++)
        column[j] = block + j * all;
    memcpy(&work->of, column, sizeof work->of);
    return true;
}

/* Whether all slices have two terms >= 0, neither of which changes too fast, and a floor. */
static bool fill_slices(struct work *work, double experts)
{
    const struct plan_draws *draws = &work->draws;
    struct columns *of = &work->of;
    size_t count = work->count;
    struct law_slice own;
    bool told = true;

    plan_draws_fill(&work->draws, experts, 1);
    plan_slice(work->model, experts, 1, &own);
    if (draws->count != count || draws->n_size_terms != 1)
        return false;
    memcpy(of->m, draws->m[0], count * sizeof *of->m);
    memcpy(of->mu, draws->mu[0], count * sizeof *of->mu);
    memcpy(of->n, draws->n, count * sizeof *of->n);
    memcpy(of->nu, draws->nu, count * sizeof *of->nu);
    memcpy(of->c, draws->c, count * sizeof *of->c);
    of->m[count] = own.m[0];
    of->mu[count] = own.mu[0];
    of->n[count] = own.n;
    of->nu[count] = own.nu;
    of->c[count] = own.c;
    for (size_t i = 0; i <= count; i++)
        told = of->m[i] >= 0 && of->n[i] >= 0 && of->c[i] >= 0 &&
               fabs(of->mu[i]) <= most_exponent && fabs(of->nu[i]) <= most_exponent && told;
    return told;
}

/* Terms m·x^mu where x changes as e^(by·s), at the first piece. */
static void begin_terms(const double *m, const double *mu, size_t count, double ln_x, double by,
                        double *ret_term, double *ret_growth, double *ret_bend)
{
    for (size_t i = 0; i < count; i++) {
        ret_term[i] = mu[i] * ln_x;
        ret_growth[i] = mu[i] * by * step;
        ret_bend[i] = mu[i] * by * (mu[i] * by);
    }
    lanes_exp_each(ret_term, count);
    lanes_exp_each(ret_growth, count);
    for (size_t i = 0; i < count; i++)
        ret_term[i] *= m[i];
}

LANES_CLONES
static void grow(const double *restrict term, const double *restrict growth, size_t count,
                 double *restrict ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = term[i] * growth[i];
}

/* What terms make at both ends: the loss, and the bounds of its second derivative. */
LANES_CLONES
static void fill_ends(const struct columns *of, size_t count)
{
    const double *restrict size_a = of->size[0], *restrict size_b = of->size[1];
    const double *restrict data_a = of->data[0], *restrict data_b = of->data[1];
    const double *restrict size_bend = of->size_bend, *restrict data_bend = of->data_bend;
    const double *restrict c = of->c;
    double *restrict loss_a = of->loss[0], *restrict loss_b = of->loss[1];
    double *restrict bend_least = of->bend_least, *restrict bend_most = of->bend_most;

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

/* The bounds of each loss less the fit's own, which comes last. False where one is not finite. */
LANES_CLONES
static bool fill_bounds(const struct columns *of, size_t count)
{
    const double *restrict loss_a = of->loss[0], *restrict loss_b = of->loss[1];
    const double *restrict bend_least = of->bend_least, *restrict bend_most = of->bend_most;
    const double eighth = step * step / 8, own_a = loss_a[count], own_b = loss_b[count];
    const double own_least = bend_least[count], own_most = bend_most[count];
    double *restrict least = of->least, *restrict most = of->most;
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
    return strange == 0;
}

/* Rounds each to a float, made positive. */
LANES_CLONES
static void round_each(const double *restrict value, double shift, size_t count,
                       float *restrict ret)
{
    for (size_t i = 0; i < count; i++) {
        float at = (float)(value[i] + shift);

        ret[i] = at > 1e-30F ? at : 1e-30F;
    }
}

/* The k-th smallest of each end, or the next: nearly, and of those that may be it. */
static void find_ranked(struct work *work, const double *value, size_t next, double ret[2])
{
    const double rounding = 0x1p-22;
    double *some = work->of.some;
    size_t count = work->count;
    bool found;

    round_each(value, work->of.loss[0][count] + work->of.loss[1][count], count, work->near);
    found = plan_quantile_find(work->near, count, rounding, work->room, work->q);
    for (int end = 0; end < 2; end++) {
        const struct plan_quantile *q = &work->q[end];
        size_t k = q->k + next < count ? q->k + next : count - 1, n = found ? q->n : count;

        for (size_t j = 0; j < n; j++)
            some[j] = value[found ? q->place[j] : j];
        ret[end] = plan_draws_between(some, n, found ? k - q->under : k, 0);
    }
}

/* A term in the middle of the piece, at ln x; false where single precision could not promise
 * anything of it. */
static bool make_term(double m, double mu, double ln_x, float *ret_size, float *ret_slope)
{
    double size = m > 0 ? log2(m) + log2_e * mu * ln_x : no_term;

    *ret_size = (float)fmax(size, no_term);
    *ret_slope = size > no_term ? (float)(log2_e * mu) : 0;
    return size <= most_log2;
}

/* The n draws listed, ready to be asked. False when the arena is full. */
static bool make_blocks(const struct work *work, size_t n, struct plan_shortlist *list)
{
    const struct columns *of = &work->of;
    size_t blocks = (n + NEAR_LANES - 1) / NEAR_LANES;
    struct plan_shortlist_block *block = arena_alloc(work->arena, blocks * sizeof *block);
    bool told = true;

    if (!block)
        return false;
    for (size_t j = 0; j < blocks * NEAR_LANES; j++) {
        struct plan_shortlist_block *to = &block[j / NEAR_LANES];
        size_t at = j % NEAR_LANES, i = work->listed[j < n ? j : 0];

        told = make_term(of->m[i], of->mu[i], list->ln_n, &to->size[at], &to->by_ln_n[at]) && told;
        told =
            make_term(of->n[i], of->nu[i], list->ln_tokens, &to->data[at], &to->by_ln_tokens[at]) &&
            told;
        to->c[at] = (float)of->c[i];
        to->draw[at] = (uint32_t)i;
    }
    list->block = told ? block : NULL;
    return true;
}

/* What the fit's own loss is not less than along the piece. */
static double least_own(const struct work *work)
{
    const struct columns *of = &work->of;
    double a = of->loss[0][work->count], b = of->loss[1][work->count];

    return (a < b ? a : b) - step * step / 8 * of->bend_most[work->count];
}

/* The list of the piece whose bounds stand there. False when the arena is full. */
static bool make_list(struct work *work, struct plan_shortlist *list)
{
    const double *least = work->of.least, *most = work->of.most, own_least = least_own(work);
    double from[2], to[2];
    size_t n = 0;

    find_ranked(work, least, 0, from);
    find_ranked(work, most, 1, to);
    for (int end = 0; end < 2; end++) {
        size_t before = n, under = 0;

        for (size_t i = 0; i < work->count; i++) {
            under += most[i] < from[end] ? 1 : 0;
            work->listed[n] = (uint32_t)i;
            n += ((most[i] >= from[end]) & (least[i] <= to[end])) != 0 ? 1 : 0;
        }
        list->n[end] = (uint32_t)(n - before);
        list->under[end] = (uint32_t)under;
        if (n - before > PLAN_SHORTLIST_MOST || !(from[end] + own_least > least_loss))
            return true;
    }
    return make_blocks(work, n, list);
}

/* All pieces of one line; false when the arena is full. */
static bool make_line(struct work *work, double ln_g, double ratio, struct plan_shortlist *piece)
{
    struct columns *of = &work->of;
    size_t all = work->count + 1;
    double ln_n = ln_g + ratio * first;

    begin_terms(of->m, of->mu, all, ln_n, ratio, of->size[1], of->size_growth, of->size_bend);
    begin_terms(of->n, of->nu, all, first - ln_n, 1 - ratio, of->data[1], of->data_growth,
                of->data_bend);
    for (int p = 0; p < PLAN_SHORTLIST_PIECES; p++) {
        double middle = first + (p + 0.5) * step, *size = of->size[0], *data = of->data[0];

        of->size[0] = of->size[1];
        of->data[0] = of->data[1];
        of->size[1] = size;
        of->data[1] = data;
        grow(of->size[0], of->size_growth, all, size);
        grow(of->data[0], of->data_growth, all, data);
        piece[p].ln_n = ln_g + ratio * middle;
        piece[p].ln_tokens = middle - piece[p].ln_n;
        fill_ends(of, all);
        if (fill_bounds(of, work->count) && !make_list(work, &piece[p]))
            return false;
    }
    return true;
}

bool plan_shortlists_make(const struct plan_model *model, double level, struct arena *arena,
                          struct arena *scratch, struct plan_shortlists *ret)
{
    struct work work;

    *ret = (struct plan_shortlists){.level = level};
    if (model->n_draws <= PLAN_QUANTILE_MANY || model->law->response != LAW_LOSS_IS_SUM ||
        model->law->size_variable != LAW_N_ACTIVE)
        return true;
    if (!work_init(&work, model, level, arena, scratch))
        return false;
    ret->draws = model->draws;
    for (int e = 0; e < PLAN_SHORTLIST_EXPERTS; e++) {
        const struct plan_closed_form *line = plan_slice_closed_form(model, ldexp(1, e));

        if (!line || !fill_slices(&work, ldexp(1, e)))
            continue;
        ret->line[e].ln_g = line->ln_g;
        ret->line[e].ratio = line->ratio;
        if (!make_line(&work, line->ln_g, line->ratio, ret->line[e].piece))
            return false;
    }
    return true;
}

/* The list that holds for x; NULL where there is none. */
static const struct plan_shortlist *find_list(const struct plan_shortlists *lists,
                                              const struct law_x *x)
{
    const double s = x->ln_n_active + x->ln_tokens, at = (s - first) / step;
    const struct plan_shortlist *list;
    unsigned whole, e;

    if (!(x->experts >= 1 && x->experts < 1 << PLAN_SHORTLIST_EXPERTS) ||
        !(at >= 0 && at < PLAN_SHORTLIST_PIECES))
        return NULL;
    whole = (unsigned)x->experts;
    e = (unsigned)__builtin_ctz(whole);
    list = &lists->line[e].piece[(int)at];
    return whole == x->experts && (whole & (whole - 1)) == 0 && list->block &&
                   fabs(lists->line[e].ln_g + lists->line[e].ratio * s - x->ln_n_active) < off_line
               ? list
               : NULL;
}

LANES_CLONES
static void ask_nearly(const struct plan_shortlist_block *block, size_t blocks, float ln_n,
                       float ln_tokens, float *restrict ret)
{
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < NEAR_LANES; i++)
            ret[b * NEAR_LANES + i] =
                near_exp2(block[b].size[i] + block[b].by_ln_n[i] * ln_n) +
                (near_exp2(block[b].data[i] + block[b].by_ln_tokens[i] * ln_tokens) +
                 block[b].c[i]);
}

bool plan_shortlist_find(const struct plan_model *model, double level, const struct law_x *x,
                         struct plan_quantile q[2])
{
    enum { BLOCKS = 2 * PLAN_SHORTLIST_MOST / NEAR_LANES };
    const struct plan_shortlists *lists = model->shortlists;
    const struct plan_shortlist *list = NULL;
    float loss[BLOCKS * NEAR_LANES], value[PLAN_SHORTLIST_MOST + NEAR_LANES];
    size_t from = 0;

    if (lists && lists->draws == model->draws && lists->level == level)
        list = find_list(lists, x);
    if (!list)
        return false;
    ask_nearly(list->block, (list->n[0] + list->n[1] + NEAR_LANES - 1) / NEAR_LANES,
               (float)(x->ln_n_active - list->ln_n), (float)(x->ln_tokens - list->ln_tokens), loss);
    for (int end = 0; end < 2; end++) {
        size_t n = list->n[end];

        memcpy(value, loss + from, n * sizeof *value);
        for (size_t i = 0; i < NEAR_LANES; i++)
            value[n + i] = INFINITY;
        if (!plan_quantile_among(value, n, list->under[end], error, &q[end]))
            return false;
        for (size_t i = 0; i < q[end].n; i++) {
            size_t at = from + q[end].place[i];

            q[end].place[i] = list->block[at / NEAR_LANES].draw[at % NEAR_LANES];
        }
        from += n;
    }
    return true;
}
