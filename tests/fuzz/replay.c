/* replay: runs a fuzz target over its corpus and over mutations of it, always the same ones, and
 * prints TAP. The current folder is the root of the sources. */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { MUTATIONS = 300, CHANGES_MAX = 4, SLACK_BYTES = 64, PATH_BYTES = 512 };

struct input {
    uint8_t *bytes;
    size_t size, room;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct input load(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input input = {NULL, 0, SLACK_BYTES};
    fuzz_require(file != NULL);
    fuzz_require(fseek(file, 0, SEEK_END) == 0);
    input.size = (size_t)ftell(file);
    input.room += input.size;
    rewind(file);
    input.bytes = malloc(input.room);
    fuzz_require(input.bytes != NULL);
    fuzz_require(fread(input.bytes, 1, input.size, file) == input.size);
    fclose(file);
    return input;
}

/* One change: a byte for another, a byte more, a stretch less, a stretch twice. */
static void mutate(struct input *input, uint64_t *random)
{
    static const char bytes[] = "\"\\,:{}[]0123456789.eE+-truefalsn \r\n\t%&=_\xC3\xA9\xFF\x00";
    size_t at = input->size > 0 ? next_random(random) % input->size : 0;
    size_t length = 1 + next_random(random) % 8;
    uint8_t byte = (uint8_t)bytes[next_random(random) % (sizeof bytes - 1)];
    if (length > input->size - at)
        length = input->size - at;
    switch (next_random(random) % 4) {
    case 0:
        if (input->size > 0)
            input->bytes[at] = byte;
        break;
    case 1:
        if (input->size < input->room) {
            memmove(input->bytes + at + 1, input->bytes + at, input->size - at);
            input->bytes[at] = byte;
            input->size++;
        }
        break;
    case 2:
        memmove(input->bytes + at, input->bytes + at + length, input->size - at - length);
        input->size -= length;
        break;
    default:
        if (input->size + length <= input->room) {
            memmove(input->bytes + at + length, input->bytes + at, input->size - at);
            input->size += length;
        }
    }
}

/* Hands the target a block of just that size, so that a read past its end is seen. */
static void run(const struct input *input)
{
    uint8_t *exact = malloc(input->size > 0 ? input->size : 1);
    fuzz_require(exact != NULL);
    memcpy(exact, input->bytes, input->size);
    LLVMFuzzerTestOneInput(exact, input->size);
    free(exact);
}

static void run_with_mutations(const char *path)
{
    struct input original = load(path), mutant = original;
    uint64_t random = 88172645463325252U;
    run(&original);
    mutant.bytes = malloc(mutant.room);
    fuzz_require(mutant.bytes != NULL);
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(mutant.bytes, original.bytes, original.size);
        mutant.size = original.size;
        for (uint64_t changes = 1 + next_random(&random) % CHANGES_MAX; changes > 0; changes--)
            mutate(&mutant, &random);
        run(&mutant);
    }
    free(mutant.bytes);
    free(original.bytes);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(void)
{
    char folder[PATH_BYTES], path[2 * PATH_BYTES];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", fuzz_name);
    int count = scandir(folder, &entries, is_visible, alphasort);
    if (count <= 0) {
        printf("Bail out! there is no corpus in %s\n", folder);
        return EXIT_FAILURE;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        run_with_mutations(path);
        printf("ok %d - %s and %d mutations of it\n", i + 1, entries[i]->d_name, MUTATIONS);
        fflush(stdout);
        free(entries[i]);
    }
    free(entries);
    return EXIT_SUCCESS;
}
