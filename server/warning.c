#include "server/warning.h"

#include <assert.h>

static const struct warning warnings[] = {
    /* Of fits: the runs */
    {"too_few_configurations", "fits",
     "Fewer than three different configurations (N, D, E, G) for each free coefficient: errors and "
     "intervals are rough, and rather too small",
     "Make runs at other configurations, not repeats; or hold coefficients by fixed or prior"},
    {"never_varied", "fits",
     "A variable the law reads has one value in all runs: what the fit says of others comes from "
     "what is fixed or from priors",
     "Vary it, or ask at that value only"},
    {"collinear_n_d", "fits",
     "Parameters and tokens nearly move together (as at 20 tokens per parameter throughout), so "
     "their effects are hard to tell apart",
     "Add runs at other tokens per parameter"},
    {"weights_concentrated", "fits", "The weights make the runs count like few of them",
     "Look at the largest weights; effective weights stand in /residuals"},
    {"extreme_values", "fits",
     "A variable or the loss spans what no measurement does: a slip of units",
     "Correct or exclude the runs at the ends"},
    {"outliers", "fits",
     "Runs lie more than 3.5 robust standard deviations off the fit; they are never dropped, but "
     "by Huber's loss they count less the further off they are",
     "See outlier and effective_weight in /residuals; exclude what failed"},
    {"lack_of_fit", "fits",
     "The law misses by more than repeated runs differ: it does not describe these runs fully",
     "Try another law (POST /v1/compare), or fit fewer kinds of runs at once by where"},
    {"replicate_noise", "fits",
     "Repeated runs differ by more than the fit misses: intervals are too narrow",
     "Check that the repeats are the same run; vary seeds in other runs as well"},
    {"experts_vary", "fits, answers",
     "The law does not read experts, which differ over the runs: the fit averages over them",
     "Choose runs of one value by where, or a law that reads it"},
    {"tokens_vary", "fits, answers",
     "The law does not read tokens, which differ over the runs: the fit averages over them",
     "Choose runs of one value by where, or a law that reads it"},
    {"granularity_varies", "fits, answers",
     "The law does not read granularity, which differs over the runs: the fit averages over it",
     "Choose runs of one value by where, or a law that reads it"},
    /* Of fits: the coefficients */
    {"pinned", "fits",
     "E_start or E_max is held at the published value, for the runs hold fewer than four values "
     "of experts",
     "Vary experts, or name it in free"},
    {"at_bound", "fits, profiles",
     "A coefficient ended at its bound, or its interval does: the runs would have it beyond, or do "
     "not exclude it",
     "Read its value as a limit; fix it, or add runs that determine it"},
    {"not_determined", "fits, profiles",
     "A coefficient has no influence on the fitted losses, or others make up for whatever it is, "
     "or by its error it could be anything: a term that might as well be 0, an E_max that might be "
     "infinite",
     "Fix it, give it a prior, fit a smaller law, or add runs that determine it"},
    {"ill_conditioned", "fits",
     "Some combination of coefficients is hardly determined: single values are not to be relied "
     "on, predictions among the runs are",
     "Fix or constrain a coefficient, or vary the runs more"},
    {"priors_overrule", "fits",
     "Priors hold the fit off its runs, which alone would be fitted much better: an sd counts "
     "beside the residuals of ln loss, not beside their noise",
     "Divide the sd by the noise of ln loss, give runs the weight 1/noise^2, or drop the priors"},
    /* Of fits: the search */
    {"starts_disagree", "fits",
     "Only one search, or one in more than fifty, reached the best objective: there may be a "
     "better one",
     "Raise starts, and see whether the answer stays"},
    {"not_converged", "fits", "The fit was still improving when it stopped",
     "Treat it as unfinished; look at extreme values and outliers first"},
    {"better_objective", "profiles", "A refit of the profile came below the fit's own objective",
     "Fit again with more starts"},
    {"interrupted", "fits",
     "The service ended while the fit ran (status interrupted); nothing of it was kept",
     "Post it again: options say what was asked"},
    /* Of fits: the hold-out */
    {"holdout_empty", "fits", "No run is dear enough to be held out", "Lower min_flops"},
    {"holdout_failed", "fits", "The runs below those held out cannot be fitted alone",
     "Hold out fewer"},
    /* Of comparisons */
    {"not_ranked", "comparisons", "A law has too many coefficients for its AICc on so few runs",
     "Add runs, or fix coefficients"},
    {"tied", "comparisons",
     "Laws share a rank: their AICc is less than 2 apart, or their held-out errors within what so "
     "few runs tell",
     "Prefer the law with fewer coefficients; add runs where the laws differ"},
    {"nothing_to_rank", "comparisons", "Fewer than two laws could be compared",
     "See each law's error"},
    /* Of answers */
    {"published_coefficients", "answers",
     "The study has no fit of its own for this: the answer comes from a preset, measured on other "
     "data with another tokenizer",
     "Compare optima and ratios, never losses; POST /v1/fits for coefficients of your own"},
    {"published", "presets", "The coefficients are a paper's: source, and what to know of them",
     "Cite the source; mind the ranges"},
    {"composed", "presets, answers",
     "The law was composed of published ones; no paper published it",
     "Fit it to runs in which both experts and granularity vary"},
    {"predicts_poorly", "answers",
     "By its own paper the law predicts held-out runs poorly; the detail says how poorly",
     "Trust trends, not levels; fit a law to runs of your own"},
    {"ranges_unknown", "answers",
     "No range was published, or kept, of something the answer depends on: where extrapolates does "
     "not name it, it may still lie outside",
     "Compare it with the paper's experiments yourself; fits of your own runs know their ranges"},
    {"few_draws", "fits, answers",
     "Too few draws for intervals of that level: their ends are chance",
     "Fit with 2/(1 - level) draws at least, 20 for 90 %; with hundreds if the ends matter"},
    {"no_interval", "presets, answers, profiles",
     "Intervals are null: no draws, no published errors, or none that say how coefficients vary "
     "together",
     "Fit with bootstrap"},
    {"shape_assumed", "fits, answers",
     "From N_act to d_model, N_total and memory the law's own architecture is taken; the detail "
     "says how far its N_total is from the runs'",
     "Say by shape how your models are built"},
    {"no_dense", "plans",
     "The fit holds for one E, or no run of it is dense: there is no dense model to compare with",
     "Fit a law that reads experts to runs that have E = 1; or allow E = 1 to see a guess"},
    {"dense_extrapolated", "plans",
     "No run of the fit is dense, but E = 1 is allowed: dense and compute_multiplier carry the law "
     "beyond its runs",
     "Add runs at E = 1 before believing either"},
    {"no_architecture", "plans",
     "No buildable model keeps the limits at this configuration; the detail says why",
     "Choose whole numbers of experts and granularity, or give the limits room"},
    {"ill_signed", "plans",
     "By these coefficients more parameters or tokens do not lower the loss somewhere",
     "Mistrust the plan; look at the fit's warnings"},
    {"experts_in_some_layers", "answers",
     "The shape has experts in one layer of moe_layer_freq; the law was measured with experts in "
     "all of them, and its E is that of a layer that has experts",
     "Trust the counts and the memory; fit the law to runs of that shape before trusting the loss"},
    {"class_defaults", "architectures",
     "The configuration leaves out keys that its class in Hugging Face's transformers has defaults "
     "for: these were counted",
     "Compare them with the model's own; state the keys in the configuration"},
    {"language_model_only", "architectures",
     "The configuration is of a model that sees or hears: its language model alone was counted",
     "Add the parameters of the other parts where memory is to hold them too"},
    {"not_read", "predictions, plans",
     "A value was given that the law does not read: it changed nothing",
     "Leave it out, or choose a law that reads it"},
    /* Of runs */
    {"looks_like_a_slip", "runs", "A value is stored, but looks like a slip of units",
     "Correct it by PATCH, or leave it"},
    {"more_warnings", "runs", "Further warnings were left out",
     "Post fewer runs at once to see all"},
};

size_t warning_count(void)
{
    return sizeof warnings / sizeof *warnings;
}

const struct warning *warning_at(size_t index)
{
    assert(index < warning_count());
    return &warnings[index];
}

void warning_write(struct out *out, const char *code, const char *detail)
{
    out_object_begin(out, NULL);
    out_constant(out, "code", code);
    out_text(out, "detail", detail);
    out_object_end(out);
}
