#include "server/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    STUDIES_ARENA_BYTES = 256 * 1024 * 1024,
    FIT_ARENA_BYTES = 1024 * 1024 * 1024,
    STUDIES_PAGE = 1000,
};

/* A fit, shared by every snapshot that shows it. */
struct entry {
    atomic_size_t holders;
    struct arena arena;
    struct fit_record record;
    const struct law *law; /* NULL when this program does not know it as it was fitted */
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
    struct study_set *set;
    size_t n_fits;
    struct entry **fits; /* by id */
    /* For each study, for any law (0) and each law (1 + its index): 1 + the index of the newest
     * finished plain fit, 0 for none. */
    size_t *newest;
};

struct snapshot_cell {
    pthread_mutex_t lock; /* held for two instructions */
    struct snapshot *current;
};

static void entry_release(struct entry *entry)
{
    if (entry == NULL || atomic_fetch_sub(&entry->holders, 1) != 1)
        return;
    arena_release(&entry->arena);
    free(entry);
}

static void study_set_release(struct study_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->holders, 1) != 1)
        return;
    arena_release(&set->arena);
    free(set);
}

void snapshot_release(struct snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->holders, 1) != 1)
        return;
    for (size_t i = 0; i < snapshot->n_fits; i++)
        entry_release(snapshot->fits[i]);
    study_set_release(snapshot->set);
    free(snapshot->fits);
    free(snapshot->newest);
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

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory for the snapshot");
}

static enum err_code read_studies(struct store *store, struct study_set **ret, struct err *err)
{
    struct study_set *set = calloc(1, sizeof *set);
    size_t room = 0, got = 0;
    enum err_code code = ERR_OK;

    if (set == NULL)
        return no_memory(err);
    atomic_init(&set->holders, 1);
    arena_init(&set->arena, STUDIES_ARENA_BYTES);
    do {
        const char *after = set->count > 0 ? set->studies[set->count - 1].id : NULL;
        struct study *page, *grown;

        code = study_list(store, after, STUDIES_PAGE, &set->arena, &page, &got, err);
        if (code != ERR_OK)
            break;
        if (set->count + got > room) {
            room = 2 * room + got;
            grown = arena_calloc(&set->arena, room, sizeof *grown);
            if (grown == NULL) {
                code = no_memory(err);
                break;
            }
            if (set->count > 0)
                memcpy(grown, set->studies, set->count * sizeof *grown);
            set->studies = grown;
        }
        if (got > 0)
            memcpy(set->studies + set->count, page, got * sizeof *page);
        set->count += got;
    } while (got == STUDIES_PAGE);
    if (code == ERR_OK)
        *ret = set;
    else
        study_set_release(set);
    return code;
}

/* The law of a record, if its coefficients are still those of that law, in that order. */
static const struct law *law_of(const struct fit_record *record)
{
    const struct law *law = law_find(record->law);

    if (law == NULL)
        return NULL;
    if (record->status != FIT_FINISHED)
        return law;
    if (law->n_coefficients != record->n_coefficients)
        return NULL;
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (record->coefficient_name[i] == NULL ||
            strcmp(law->coefficients[i].name, record->coefficient_name[i]) != 0)
            return NULL;
    return law;
}

/* Reads one fit; *ret stays NULL, without an error, when it is gone. */
static enum err_code read_entry(struct store *store, int64_t id, struct entry **ret,
                                struct err *err)
{
    struct entry *entry = calloc(1, sizeof *entry);
    enum err_code code;
    struct err gone;

    if (entry == NULL)
        return no_memory(err);
    err_init(&gone, NULL);
    atomic_init(&entry->holders, 1);
    arena_init(&entry->arena, FIT_ARENA_BYTES);
    code = fit_read(store, id, &entry->arena, &entry->record, &gone);
    if (code == ERR_OK) {
        entry->law = law_of(&entry->record);
        *ret = entry;
        return ERR_OK;
    }
    entry_release(entry);
    return code == ERR_FIT_NOT_FOUND ? ERR_OK : err_set(err, code, "%s", gone.detail);
}

struct ids {
    size_t count, room;
    int64_t *ids;
    bool failed;
};

static bool add_id(struct ids *ids, int64_t id)
{
    if (ids->count == ids->room) {
        size_t room = 2 * ids->room + 64;
        int64_t *grown = realloc(ids->ids, room * sizeof *grown);

        if (grown == NULL) {
            ids->failed = true;
            return false;
        }
        ids->ids = grown;
        ids->room = room;
    }
    ids->ids[ids->count++] = id;
    return true;
}

static bool add_record_id(void *ctx, const struct fit_record *record)
{
    return add_id(ctx, record->id);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* The ids to read, ascending, distinct: those that changed, or all. */
static enum err_code changed_ids(struct store *store, const struct snapshot_changes *changes,
                                 struct ids *ids, struct err *err)
{
    enum err_code code = ERR_OK;
    size_t kept = 0;

    if (changes->all_fits) {
        code = fit_each(store, add_record_id, ids, err);
    } else {
        for (size_t i = 0; i < changes->n_fits && add_id(ids, changes->fits[i]); i++)
            continue;
        if (ids->count > 1)
            qsort(ids->ids, ids->count, sizeof *ids->ids, compare_ids);
        for (size_t i = 0; i < ids->count; i++)
            if (kept == 0 || ids->ids[kept - 1] != ids->ids[i])
                ids->ids[kept++] = ids->ids[i];
        ids->count = kept;
    }
    return ids->failed ? no_memory(err) : code;
}

static const struct study *find_study(const struct study_set *set, const char *id)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, set->studies[middle].id);

        if (order == 0)
            return &set->studies[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void hold_or_drop(struct snapshot *snapshot, struct entry *entry)
{
    if (find_study(snapshot->set, entry->record.study) == NULL)
        entry_release(entry); /* went with its study */
    else
        snapshot->fits[snapshot->n_fits++] = entry;
}

/* Merges the fits of old that are not in ids with those in ids, read anew. */
static enum err_code merge_fits(struct snapshot *snapshot, const struct snapshot *old,
                                struct store *store, const struct ids *ids, struct err *err)
{
    size_t n_old = old != NULL ? old->n_fits : 0, o = 0, i = 0;

    snapshot->fits = calloc(n_old + ids->count + 1, sizeof(struct entry *));
    if (snapshot->fits == NULL)
        return no_memory(err);
    while (o < n_old || i < ids->count) {
        struct entry *entry = o < n_old ? old->fits[o] : NULL;
        enum err_code code;

        if (entry != NULL && (i == ids->count || entry->record.id < ids->ids[i])) {
            atomic_fetch_add(&entry->holders, 1);
            hold_or_drop(snapshot, entry);
            o++;
            continue;
        }
        if (entry != NULL && entry->record.id == ids->ids[i])
            o++;
        entry = NULL;
        code = read_entry(store, ids->ids[i++], &entry, err);
        if (code != ERR_OK)
            return code;
        if (entry != NULL)
            hold_or_drop(snapshot, entry);
    }
    return ERR_OK;
}

static size_t law_index(const struct law *law)
{
    size_t i = 0;

    while (law_at(i) != law)
        i++;
    return i;
}

static enum err_code index_newest(struct snapshot *snapshot, struct err *err)
{
    size_t columns = law_count() + 1;

    snapshot->newest = calloc(snapshot->set->count * columns + 1, sizeof *snapshot->newest);
    if (snapshot->newest == NULL)
        return no_memory(err);
    for (size_t i = 0; i < snapshot->n_fits; i++) {
        const struct entry *entry = snapshot->fits[i];
        const struct study *study = find_study(snapshot->set, entry->record.study);
        size_t *row = snapshot->newest + (size_t)(study - snapshot->set->studies) * columns;

        if (entry->record.status != FIT_FINISHED || !entry->record.plain || entry->law == NULL)
            continue;
        row[0] = i + 1;
        row[1 + law_index(entry->law)] = i + 1;
    }
    return ERR_OK;
}

static enum err_code build(const struct snapshot *old, struct store *store,
                           const struct snapshot_changes *changes, struct snapshot **ret,
                           struct err *err)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct ids ids = {.count = 0};
    enum err_code code = ERR_OK;

    if (snapshot == NULL)
        return no_memory(err);
    atomic_init(&snapshot->holders, 1);
    if (changes->studies || old == NULL) {
        code = read_studies(store, &snapshot->set, err);
    } else {
        snapshot->set = old->set;
        atomic_fetch_add(&snapshot->set->holders, 1);
    }
    if (code == ERR_OK)
        code = changed_ids(store, changes, &ids, err);
    if (code == ERR_OK)
        code = merge_fits(snapshot, changes->all_fits ? NULL : old, store, &ids, err);
    if (code == ERR_OK)
        code = index_newest(snapshot, err);
    free(ids.ids);
    if (code == ERR_OK)
        *ret = snapshot;
    else
        snapshot_release(snapshot);
    return code;
}

enum err_code snapshot_cell_open(struct store *store, struct snapshot_cell **ret, struct err *err)
{
    struct snapshot_cell *cell = calloc(1, sizeof *cell);
    enum err_code code;

    if (cell == NULL)
        return no_memory(err);
    pthread_mutex_init(&cell->lock, NULL);
    code = build(NULL, store, &(struct snapshot_changes){.studies = true, .all_fits = true},
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
    enum err_code code = build(old, store, changes, &fresh, err);

    if (code == ERR_OK) {
        pthread_mutex_lock(&cell->lock);
        cell->current = fresh;
        pthread_mutex_unlock(&cell->lock);
        snapshot_release(old); /* the cell's own hold */
    }
    snapshot_release(old);
    return code;
}

const struct study *snapshot_study(const struct snapshot *snapshot, const char *id)
{
    return find_study(snapshot->set, id);
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

const struct fit_record *snapshot_newest_fit(const struct snapshot *snapshot,
                                             const struct study *study, const struct law *law)
{
    size_t row = (size_t)(study - snapshot->set->studies) * (law_count() + 1);
    size_t newest = snapshot->newest[row + (law != NULL ? 1 + law_index(law) : 0)];

    return newest > 0 ? &snapshot->fits[newest - 1]->record : NULL;
}
