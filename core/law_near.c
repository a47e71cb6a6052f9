#include "core/law_near.h"

#include "core/near.h"

static size_t stride_of(size_t count)
{
    return (count + NEAR_LANES - 1) / NEAR_LANES * NEAR_LANES;
}

size_t law_near_room(const struct law *law, size_t count)
{
    return law->near ? law->near->rows * stride_of(count) : 0;
}

bool law_near_init(struct law_near *near, const struct law *law, const double *sets, size_t count,
                   float *room)
{
    if (!law->near || count == 0)
        return false;
    *near = (struct law_near){.count = count, .stride = stride_of(count), .blocks = room};
    return law->near->make(sets, near, room);
}
