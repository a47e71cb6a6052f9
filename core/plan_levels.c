#include "core/plan_levels.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "core/lanes.h"

/* Levels lie in SECTIONS one after another, each a multiple of BYTES, so that the bits of a byte
 * can be about one place of each. */
enum { BYTES = 32, SECTIONS = 8, CUTS = PLAN_LEVELS_CUTS, HALF = PLAN_LEVELS / 2 };

static size_t section_of(size_t count)
{
    return (count + SECTIONS * BYTES - 1) / (SECTIONS * BYTES) * BYTES;
}

size_t plan_levels_room(size_t count)
{
    return (SECTIONS + 1) * section_of(count);
}

struct plan_levels plan_levels_of(const float *value, size_t count, uint8_t *room)
{
    size_t size = SECTIONS * section_of(count);
    struct plan_levels levels = {
        .value = value, .count = count, .level = (int8_t *)room, .mark = room + size};

    memset(levels.level + count, HALF - 1, size - count);
    return levels;
}

LANES_CLONES
static void fill(const float *restrict value, size_t count, float least, float most, float scale,
                 int8_t *restrict ret_level)
{
    for (size_t i = 0; i < count; i++) {
        float at = value[i] > least ? value[i] : least;

        at = at < most ? at : most;
        ret_level[i] = (int8_t)((int32_t)((at - least) * scale) - HALF);
    }
}

bool plan_levels_fill(struct plan_levels *levels, const float end[2])
{
    float scale = (PLAN_LEVELS - 1) / (end[1] - end[0]);

    if (!isfinite(scale) || scale <= 0)
        return false;
    memcpy(levels->end, end, sizeof levels->end);
    levels->scale = scale;
    fill(levels->value, levels->count, end[0], end[1], scale, levels->level);
    return true;
}

/* Σ of BYTES bytes. */
LANES_INLINE size_t sum_of(const uint8_t count[BYTES])
{
    const uint64_t even = 0x00ff00ff00ff00ff;
    uint64_t sum = 0;

    for (size_t i = 0; i < BYTES; i += sizeof sum) {
        uint64_t some;

        memcpy(&some, count + i, sizeof some);
        sum += (some & even) + (some >> 8 & even);
    }
    return (size_t)(sum * 0x0001000100010001 >> 48);
}

LANES_INLINE void count_bytes(const int8_t *level, int8_t below, uint8_t count[BYTES])
{
    for (int i = 0; i < BYTES; i++)
        count[i] = (uint8_t)(count[i] + (level[i] < below ? 1 : 0));
}

LANES_CLONES
static void count_below(const int8_t *level, size_t size, const int8_t cut[CUTS],
                        size_t ret_count[CUTS])
{
    const size_t most = UINT8_MAX * BYTES;
    const int8_t at_a = cut[0], at_b = cut[1], at_c = cut[2], at_d = cut[3];

    for (size_t from = 0; from < size; from += most) {
        size_t to = from + most < size ? from + most : size;
        uint8_t a[BYTES] = {0}, b[BYTES] = {0}, c[BYTES] = {0}, d[BYTES] = {0};

        for (size_t at = from; at < to; at += BYTES) {
            count_bytes(level + at, at_a, a);
            count_bytes(level + at, at_b, b);
            count_bytes(level + at, at_c, c);
            count_bytes(level + at, at_d, d);
        }
        ret_count[0] += sum_of(a);
        ret_count[1] += sum_of(b);
        ret_count[2] += sum_of(c);
        ret_count[3] += sum_of(d);
    }
}

void plan_levels_below(const struct plan_levels *levels, const int cut[CUTS],
                       size_t ret_count[CUTS])
{
    int8_t at[CUTS];

    for (int i = 0; i < CUTS; i++) {
        at[i] = (int8_t)(cut[i] - HALF);
        ret_count[i] = 0;
    }
    count_below(levels->level, SECTIONS * section_of(levels->count), at, ret_count);
}

/* Bit j of byte i: whether the level at i of section j is from `from` to `more` above. */
LANES_CLONES
static void mark(const int8_t *level, size_t section, uint8_t from, uint8_t more,
                 uint8_t *restrict ret_mark)
{
    for (size_t i = 0; i < section; i++) {
        unsigned marks = 0;

        for (unsigned j = 0; j < SECTIONS; j++)
            marks |= (unsigned)((uint8_t)((uint8_t)level[j * section + i] - from) <= more) << j;
        ret_mark[i] = (uint8_t)marks;
    }
}

/* Some marks at a time without asking whether there are so many: mostly there are about as many,
 * and to ask costs more. */
size_t plan_levels_places(const struct plan_levels *levels, int low, int high,
                          size_t ret_place[PLAN_LEVELS_MANY + PLAN_LEVELS_PAST])
{
    enum { SOME = 2 };
    _Static_assert(SECTIONS * sizeof(uint64_t) + SOME <= PLAN_LEVELS_PAST, "all of one word");
    size_t section = section_of(levels->count), n = 0, kept = 0;

    mark(levels->level, section, (uint8_t)(low - HALF), (uint8_t)(high - low - 1), levels->mark);
    for (size_t at = 0; at < section && n <= PLAN_LEVELS_MANY; at += sizeof(uint64_t)) {
        uint64_t marks;

        memcpy(&marks, levels->mark + at, sizeof marks);
        marks = le64toh(marks);
        do
            for (int i = 0; i < SOME; i++) {
                ret_place[n] = SECTIONS * at + (size_t)__builtin_ctzll(marks | UINT64_C(1) << 63);
                n += marks != 0 ? 1 : 0;
                marks &= marks - 1;
            }
        while (marks != 0);
    }
    if (n > PLAN_LEVELS_MANY)
        return n;
    for (size_t i = 0; i < n; i++) {
        size_t place = ret_place[i] % SECTIONS * section + ret_place[i] / SECTIONS;

        ret_place[kept] = place;
        kept += place < levels->count ? 1 : 0; /* not what fills up the sections */
    }
    return kept;
}
