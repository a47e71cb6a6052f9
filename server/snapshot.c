#include "server/snapshot.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/snapshot_build.h"

struct snapshot_cell {
    pthread_mutex_t lock; /* held for two instructions */
    struct snapshot *current;
};

void snapshot_release(struct snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->holders, 1) != 1)
        return;
    for (size_t i = 0; i < snapshot->n_fits; i++)
        snapshot_entry_release(snapshot->fits[i]);
    snapshot_set_release(snapshot->set);
    free(snapshot->fits);
    free(snapshot->newest);
    free(snapshot->presets);
    free(snapshot);
}

struct snapshot *snapshot_acquire(struct snapshot_cell *cell)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&cell->lock);
    snapshot = cell->current;
    atomic_fetch_add_explicit(&snapshot->holders, 1, memory_order_relaxed);
    pthread_mutex_unlock(&cell->lock);
    return snapshot;
}

enum err_code snapshot_cell_open(struct store *store, struct snapshot_cell **ret, struct err *err)
{
    struct snapshot_cell *cell = calloc(1, sizeof *cell);
    enum err_code code;

    if (cell == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the snapshot");
    pthread_mutex_init(&cell->lock, NULL);
    code =
        snapshot_build(NULL, store, &(struct snapshot_changes){.studies = true, .all_fits = true},
                       &cell->current, err);
    if (code == ERR_OK)
        *ret = cell;
    else
        snapshot_cell_close(cell);
    return code;
}

void snapshot_cell_close(struct snapshot_cell *cell)
{
    if (cell == NULL)
        return;
    snapshot_release(cell->current);
    pthread_mutex_destroy(&cell->lock);
    free(cell);
}

enum err_code snapshot_replace(struct snapshot_cell *cell, struct store *store,
                               const struct snapshot_changes *changes, struct err *err)
{
    struct snapshot *old = snapshot_acquire(cell), *fresh = NULL;
    enum err_code code = snapshot_build(old, store, changes, &fresh, err);

    if (code == ERR_OK) {
        pthread_mutex_lock(&cell->lock);
        cell->current = fresh;
        pthread_mutex_unlock(&cell->lock);
        snapshot_release(old); /* the cell's hold, then our own */
    }
    snapshot_release(old); // NOLINT(clang-analyzer-unix.Malloc): it is held twice
    return code;
}

const struct study *snapshot_study(const struct snapshot *snapshot, const char *id)
{
    return snapshot_set_find(snapshot->set, id);
}

size_t snapshot_study_count(const struct snapshot *snapshot)
{
    return snapshot->set->count;
}

const struct study *snapshot_study_at(const struct snapshot *snapshot, size_t index)
{
    return &snapshot->set->studies[index];
}

size_t snapshot_fit_count(const struct snapshot *snapshot)
{
    return snapshot->n_fits;
}

const struct fit_record *snapshot_fit_at(const struct snapshot *snapshot, size_t index)
{
    return &snapshot->fits[index]->record;
}

static const struct entry *find_entry(const struct snapshot *snapshot, int64_t id)
{
    size_t low = 0, high = snapshot->n_fits;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t at = snapshot->fits[middle]->record.id;

        if (at == id)
            return snapshot->fits[middle];
        if (id < at)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct fit_record *snapshot_fit(const struct snapshot *snapshot, int64_t id)
{
    const struct entry *entry = find_entry(snapshot, id);

    return entry != NULL ? &entry->record : NULL;
}

const struct law *snapshot_fit_law(const struct snapshot *snapshot, int64_t id)
{
    const struct entry *entry = find_entry(snapshot, id);

    return entry != NULL ? entry->law : NULL;
}

const struct law_near *snapshot_fit_near(const struct snapshot *snapshot, int64_t id)
{
    const struct entry *entry = find_entry(snapshot, id);

    return entry != NULL && entry->has_near ? &entry->near : NULL;
}

const struct plan_shortlists *snapshot_fit_shortlists(const struct snapshot *snapshot, int64_t id)
{
    const struct entry *entry = find_entry(snapshot, id);

    return entry != NULL ? &entry->shortlists : NULL;
}

const struct plan_slices *snapshot_fit_slices(const struct snapshot *snapshot, int64_t id)
{
    const struct entry *entry = find_entry(snapshot, id);

    return entry != NULL ? &entry->slices : NULL;
}

const struct plan_slices *snapshot_preset_slices(const struct snapshot *snapshot,
                                                 const struct preset *preset)
{
    return &snapshot->presets[preset - preset_at(0)];
}

const struct fit_notes *snapshot_fit_notes(const struct snapshot *snapshot, int64_t id)
{
    const struct entry *entry = find_entry(snapshot, id);

    return entry != NULL ? &entry->notes : NULL;
}

const struct fit_record *snapshot_newest_fit(const struct snapshot *snapshot,
                                             const struct study *study, const struct law *law)
{
    size_t row = (size_t)(study - snapshot->set->studies) * (law_count() + 1);
    size_t newest = snapshot->newest[row + (law != NULL ? 1 + snapshot_law_index(law) : 0)];

    return newest > 0 ? &snapshot->fits[newest - 1]->record : NULL;
}
