/* snapshot: the immutable studies and fits that answers are computed from.
 *
 * Built from the store at start, replaced whole after each commit that touches a study or a fit;
 * entries are shared between snapshots and counted. A call holds one snapshot from first to last,
 * so an answer never mixes two states. Thread rule: acquire, release and replace from any thread.
 */
#ifndef MOEPLAN_SERVER_SNAPSHOT_H
#define MOEPLAN_SERVER_SNAPSHOT_H

#include "core/plan.h"
#include "core/preset.h"
#include "db/store.h"

struct snapshot;
struct snapshot_cell; /* the place where the current one hangs; one per app */

enum err_code snapshot_cell_open(struct store *store, struct snapshot_cell **ret, struct err *err);
void snapshot_cell_close(struct snapshot_cell *cell);

struct snapshot *snapshot_acquire(struct snapshot_cell *cell);
void snapshot_release(struct snapshot *snapshot);

/* What a commit touched: re-read from the store and swapped in. */
struct snapshot_changes {
    bool studies; /* any study put or deleted: all are re-read (fits of gone ones go) */
    size_t n_fits;
    int64_t fits[16]; /* ids put or deleted */
    bool all_fits;    /* more than 16 */
};
enum err_code snapshot_replace(struct snapshot_cell *cell, struct store *store,
                               const struct snapshot_changes *changes, struct err *err);

const struct study *snapshot_study(const struct snapshot *snapshot, const char *id);
size_t snapshot_study_count(const struct snapshot *snapshot);
const struct study *snapshot_study_at(const struct snapshot *snapshot, size_t index); /* by id */

size_t snapshot_fit_count(const struct snapshot *snapshot);
const struct fit_record *snapshot_fit_at(const struct snapshot *snapshot, size_t index); /* by id */
const struct fit_record *snapshot_fit(const struct snapshot *snapshot, int64_t id);

/* The law of a fit; NULL when there is no such fit, or this program does not know its law with just
 * those coefficients (it was made by another version). */
const struct law *snapshot_fit_law(const struct snapshot *snapshot, int64_t id);

/* A fit's draws made ready for plans, as plan_model has them; NULL where there are none. */
const struct law_near *snapshot_fit_near(const struct snapshot *snapshot, int64_t id);

/* What plan_model.shortlists is of a fit; NULL when there is no such fit. */
const struct plan_shortlists *snapshot_fit_shortlists(const struct snapshot *snapshot, int64_t id);

/* What plan_model.slices is of a fit (NULL when there is no such fit) and of a preset. */
const struct plan_slices *snapshot_fit_slices(const struct snapshot *snapshot, int64_t id);
const struct plan_slices *snapshot_preset_slices(const struct snapshot *snapshot,
                                                 const struct preset *preset);

/* What answers repeat of a fit's document, found in it once. */
struct fit_note {
    const char *text; /* warnings as they stand in the document, joined by commas; NULL for none */
    size_t length;
};
struct fit_notes {
    struct fit_note averages; /* what it averages over: experts_vary, … */
    struct fit_note shape;    /* shape_assumed */
    double noise_log;         /* FIT_DOCUMENT_NOISE; NAN where it has none */
};

/* NULL when there is no such fit. */
const struct fit_notes *snapshot_fit_notes(const struct snapshot *snapshot, int64_t id);

/* The newest finished plain fit of a study of this snapshot, of a law unless NULL; NULL for none.
 */
const struct fit_record *snapshot_newest_fit(const struct snapshot *snapshot,
                                             const struct study *study, const struct law *law);

/* The shape taken for a fit of runs: K's for its own law, J's for all others, counted by the
 * convention. */
struct shape snapshot_shape_of_runs(const struct law *law, enum parameter_convention convention);

/* A fit or a preset, whichever `fit=` meant. */
struct model_choice {
    const struct law *law;
    const struct fit_record *record; /* one of the two is NULL */
    const struct preset *preset;
    const struct fit_notes *notes; /* of the record */
    const struct study *study;
    bool published;          /* fell back to a preset: warn published_coefficients */
    struct plan_model model; /* ready for plan_solve; shape by the fit's or preset's convention */
    bool has_dense;
    struct plan_model dense; /* for a preset with a dense companion */
};

/* The contract's rule: fit named, else the study's default_fit (if it is of law, when given), else
 * its newest finished plain fit (of law if given), else the preset of law, else joint-2025. study
 * NULL: "default"; fit and law NULL when not given. A fit's study is its own, a preset's is the one
 * asked for. What *ret points at lives as long as the snapshot is held. ERR_STUDY_NOT_FOUND,
 * ERR_FIT_NOT_FOUND, ERR_LAW_NOT_FOUND; ERR_CONFLICT for a fit that is not finished; ERR_INVALID,
 * field "law" or "fit", for a fit of another law or study than given; ERR_UNSUPPORTED for one of
 * another version. */
enum err_code snapshot_choose(const struct snapshot *snapshot, const char *study, const char *fit,
                              const char *law, struct model_choice *ret, struct err *err);

#endif
