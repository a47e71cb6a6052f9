/* snapshot_build: what a snapshot is made of, and how it is read from the store. Private to
 * server/snapshot*.c.
 */
#ifndef MOEPLAN_SERVER_SNAPSHOT_BUILD_H
#define MOEPLAN_SERVER_SNAPSHOT_BUILD_H

#include <stdatomic.h>

#include "core/plan_shortlist.h"
#include "server/snapshot.h"

/* A fit, shared by every snapshot that shows it. */
struct entry {
    atomic_size_t holders;
    struct arena arena;
    struct fit_record record;
    const struct law *law; /* NULL when this program does not know it as it was fitted */
    bool has_near;         /* draws, and a law that can ask them nearly: */
    struct law_near near;  /* see plan_model */
    struct plan_slices slices;
    struct plan_shortlists shortlists;
    struct fit_notes notes;
};

/* All studies, shared by every snapshot in between two changes of them. */
struct study_set {
    atomic_size_t holders;
    struct arena arena;
    size_t count;
    struct study *studies; /* by id */
};

struct snapshot {
    atomic_size_t holders;
    struct plan_slices *presets; /* of each preset, in their order */
    struct study_set *set;
    size_t n_fits;
    struct entry **fits; /* by id */
    /* For each study, for any law (0) and each law (1 + its index): 1 + the index of the newest
     * finished plain fit, 0 for none. */
    size_t *newest;
};

/* The snapshot the store holds now: what `changes` names is read, the rest is shared with old
 * (NULL: everything is read). Held once, by the caller. */
enum err_code snapshot_build(const struct snapshot *old, struct store *store,
                             const struct snapshot_changes *changes, struct snapshot **ret,
                             struct err *err);

/* Reads one fit, held once by the caller; *ret stays NULL, without an error, when it is gone. */
enum err_code snapshot_entry_read(struct store *store, int64_t id, struct entry **ret,
                                  struct err *err);

/* NULL is fine. */
void snapshot_entry_release(struct entry *entry);
void snapshot_set_release(struct study_set *set);

/* The study of a set; NULL when there is none. */
const struct study *snapshot_set_find(const struct study_set *set, const char *id);

/* The position of a law in the registry. */
size_t snapshot_law_index(const struct law *law);

#endif
