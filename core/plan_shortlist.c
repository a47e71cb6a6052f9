/* The k-th smallest loss is never less than the k-th smallest of the least there can be, the next
 * never more than the (k+1)-th of the most (plan_line.h). All draws are looked through in leaps of
 * PARTS pieces, and then for each of these what is left of them. */
#include "core/plan_shortlist.h"

#include <math.h>

#include "core/lanes.h"
#include "core/plan_line.h"
#include "core/plan_slice.h"

enum { PARTS = 8, LEAPS = PLAN_SHORTLIST_PIECES / PARTS };

/* s of 1e19 FLOPs; a piece, ln 2/PARTS; and all of them. */
static const double first = 41.957357297658813, step = 0.086643397569993164;
static const double leap = 0.69314718055994531;

struct work {
    struct arena *arena;
    size_t count, few_most; /* draws; those left, at most */
    struct plan_quantile q[2];
    struct plan_draws draws;
    struct plan_line all, few;
    float *near;
    double *some;
    uint8_t *room;
    uint32_t *left, *listed; /* draws; places among those left */
};

static bool work_init(struct work *work, const struct plan_model *model, double level,
                      struct arena *arena, struct arena *scratch)
{
    size_t count = model->n_draws;
    double low = (1 - level) / 2;

    *work = (struct work){
        .arena = arena,
        .count = count,
        .few_most = count / 4,
        .q = {plan_quantile_at(low, count), plan_quantile_at(1 - low, count)},
        .near = arena_alloc(scratch, count * sizeof *work->near),
        .some = arena_alloc(scratch, count * sizeof *work->some),
        .room = arena_alloc(scratch, plan_quantile_room(count)),
        .left = arena_alloc(scratch, count * sizeof *work->left),
        .listed = arena_alloc(scratch, count * sizeof *work->listed),
    };
    work->all.wide[PLAN_LINE_STEP] = work->few.wide[PLAN_LINE_STEP] = step;
    work->all.wide[PLAN_LINE_LEAP] = work->few.wide[PLAN_LINE_LEAP] = leap;
    return work->near && work->some && work->room && work->left && work->listed &&
           plan_draws_init(&work->draws, model, scratch) &&
           plan_line_init(&work->all, count, scratch) &&
           plan_line_init(&work->few, work->few_most, scratch);
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

/* The k-th smallest of all, for each end, or the next: nearly, and of those that may be it. */
static void find_ranked(struct work *work, const double *value, size_t next, double ret[2])
{
    const double rounding = 0x1p-22;
    size_t count = work->count;
    bool found;

    round_each(value, work->all.loss[0][count] + work->all.loss[1][count], count, work->near);
    found = plan_quantile_find(work->near, count, rounding, work->room, work->q);
    for (int end = 0; end < 2; end++) {
        const struct plan_quantile *q = &work->q[end];
        size_t k = q->k + next < count ? q->k + next : count - 1, n = found ? q->n : count;

        for (size_t j = 0; j < n; j++)
            work->some[j] = value[found ? q->place[j] : j];
        ret[end] = plan_draws_between(work->some, n, found ? k - q->under : k, 0);
    }
}

/* The k-th smallest of a few: the greatest of those than which no more are less. */
LANES_CLONES
static double ranked_of_few(const double *value, size_t count, size_t k)
{
    double at = -INFINITY;

    for (size_t i = 0; i < count; i++) {
        const double other = value[i];
        uint64_t less = 0;

        for (size_t j = 0; j < count; j++)
            less += value[j] < other ? 1 : 0;
        at = less <= k && other > at ? other : at;
    }
    return at;
}

static double ranked(const struct work *work, const double *value, size_t count, size_t k)
{
    enum { FEW = 64 };

    k = k < count ? k : count - 1;
    if (count <= FEW)
        return ranked_of_few(value, count, k);
    memcpy(work->some, value, count * sizeof *value);
    return plan_draws_between(work->some, count, k, 0);
}

/* Which may lie in between; *ret_under certainly lie below. */
static size_t list_between(const struct plan_line *line, double from, double to,
                           uint32_t *ret_listed, size_t *ret_under)
{
    size_t n = 0, under = 0;

    for (size_t i = 0; i < line->count; i++) {
        under += line->most[i] < from ? 1 : 0;
        ret_listed[n] = (uint32_t)i;
        n += ((line->most[i] >= from) & (line->least[i] <= to)) != 0 ? 1 : 0;
    }
    *ret_under = under;
    return n;
}

/* The lists of one end for all parts of a leap, of those left; `under` draws are certainly less
 * than all of these. False when the arena is full. */
static bool list_parts(struct work *work, int end, size_t left, size_t under,
                       struct plan_shortlist *ret)
{
    struct plan_line *few = &work->few;
    size_t k = work->q[end].k - under;

    plan_line_take(few, &work->all, work->left, left);
    for (int p = 0; p < PARTS; p++) {
        double from, to;
        size_t n, less;
        uint32_t *draw;

        if (!plan_line_go(few, PLAN_LINE_STEP))
            continue;
        from = ranked(work, few->least, left, k);
        to = ranked(work, few->most, left, k + 1);
        n = list_between(few, from, to, work->listed, &less);
        if (n > PLAN_SHORTLIST_MOST)
            continue;
        draw = arena_alloc(work->arena, n * sizeof *draw);
        if (!draw)
            return false;
        for (size_t j = 0; j < n; j++)
            draw[j] = work->left[work->listed[j]];
        ret[p].end[end].draw = draw;
        ret[p].end[end].n = (uint32_t)n;
        ret[p].end[end].under = (uint32_t)(under + less);
    }
    return true;
}

/* The lists of all pieces of a line; false when the arena is full. */
static bool list_line(struct work *work, struct plan_shortlist *ret)
{
    struct plan_line *all = &work->all;

    for (int l = 0; l < LEAPS; l++) {
        double from[2], to[2];

        if (!plan_line_go(all, PLAN_LINE_LEAP))
            continue;
        find_ranked(work, all->least, 0, from);
        find_ranked(work, all->most, 1, to);
        for (int end = 0; end < 2; end++) {
            size_t under, left = list_between(all, from[end], to[end], work->left, &under);

            if (left <= work->few_most && !list_parts(work, end, left, under, ret + l * PARTS))
                return false;
        }
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
        const struct plan_closed_form *form = plan_slice_closed_form(model, ldexp(1, e));
        struct plan_shortlist *piece;
        struct law_slice own;

        if (!form)
            continue;
        plan_slice(model, ldexp(1, e), 1, &own);
        plan_draws_fill(&work.draws, ldexp(1, e), 1);
        if (!plan_line_begin(&work.all, &work.draws, &own, form, first))
            continue;
        piece = arena_calloc(arena, PLAN_SHORTLIST_PIECES, sizeof *piece);
        if (!piece || !list_line(&work, piece))
            return false;
        ret->line[e].ln_g = form->ln_g;
        ret->line[e].ratio = form->ratio;
        ret->line[e].piece = piece;
    }
    return true;
}

/* The lists that hold for x; NULL where there are none. */
static const struct plan_shortlist *find_lists(const struct plan_shortlists *lists,
                                               const struct law_x *x)
{
    const double s = x->ln_n_active + x->ln_tokens, at = (s - first) / step;
    unsigned whole, e;

    if (!(x->experts >= 1 && x->experts < 1 << PLAN_SHORTLIST_EXPERTS) ||
        !(at >= 0 && at < PLAN_SHORTLIST_PIECES))
        return NULL;
    whole = (unsigned)x->experts;
    e = (unsigned)__builtin_ctz(whole);
    return whole == x->experts && (whole & (whole - 1)) == 0 && lists->line[e].piece &&
                   fabs(lists->line[e].ln_g + lists->line[e].ratio * s - x->ln_n_active) <
                       PLAN_LINE_OFF
               ? &lists->line[e].piece[(int)at]
               : NULL;
}

bool plan_shortlist_find(const struct plan_model *model, double level, const struct law_x *x,
                         struct plan_quantile q[2])
{
    const struct plan_shortlists *lists = model->shortlists;
    const struct plan_shortlist *list = NULL;

    if (lists && lists->draws == model->draws && lists->level == level)
        list = find_lists(lists, x);
    if (!list || list->end[0].n == 0 || list->end[1].n == 0)
        return false;
    for (int end = 0; end < 2; end++) {
        q[end].n = list->end[end].n;
        q[end].under = list->end[end].under;
        for (size_t i = 0; i < q[end].n; i++)
            q[end].place[i] = list->end[end].draw[i];
    }
    return true;
}
