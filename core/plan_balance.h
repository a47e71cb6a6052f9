/* plan_balance: where one more parameter and one more token gain equally per FLOP.
 *
 * Internal to the planner. Along a path D(d) the loss Σ m·N^mu + n·D^nu is stationary under equal
 * compute where
 *     ln(Σ |m·mu|·N^mu · e_N) = ln(|n·nu|·D^nu · e_D),
 *     e_N = d ln N/d ln d,  e_D = −d ln D/d ln d at equal compute = e_F + w·e_A,
 *     w = 2·N_act·D_inf/(F·D),  F FLOPs per token, A = N_act.
 * Paths of equal compute and of equal loss are tangent exactly there. For cells that are unimodal
 * (plan_cell.h), which implies well-signed.
 */
#ifndef MOEPLAN_CORE_PLAN_BALANCE_H
#define MOEPLAN_CORE_PLAN_BALANCE_H

#include "core/plan_cell.h"

struct plan_path {
    const struct plan_cell *cell;
    bool equal_loss;    /* else equal compute, the cell's limit */
    double target_loss; /* equal loss: the loss */
};

/* Tokens on the path: <= 0 where d_model is too large (equal compute), INFINITY where it is too
 * small (equal loss). */
double plan_balance_tokens(const struct plan_path *path, double d_model);

/* The d_model in [low, high] at which the left side changes from more to less than the right, or
 * the end that it does not reach: Newton's method in ln d_model within a shrinking bracket. low >
 * 0; high may be INFINITY. */
double plan_balance_root(const struct plan_path *path, double start, double low, double high);

/* Where to start: the closed form of plan_closed_form_solve, with N in place of N_total by their
 * ratio and the embedding's linear term neglected where they differ. Exact for cell->closed_form.
 */
double plan_balance_start_at_compute(const struct plan_cell *cell);

/* At the optimum the terms stand as nu to mu, so that the size term is (L − c)·nu/(mu + nu). */
double plan_balance_start_at_loss(const struct plan_cell *cell, double target_loss);

#endif
