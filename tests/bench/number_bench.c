/* What a number costs: written and read by us, by the C library, by cJSON; and what a plan's worth
 * of members costs the JSON writer. Rows for run.py, medians of interleaved rounds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "server/json_check.h"
#include "server/number.h"
#include "server/out.h"

enum { VALUES = 1000, ROUNDS = 7, REPEATS = 40, TEXT_BYTES = 32, PLAN_NUMBERS = 40 };

struct work {
    double values[VALUES];
    char text[VALUES][TEXT_BYTES]; /* the values as we write them */
    struct arena arena;
    size_t sum; /* of lengths, so that nothing is optimized away */
    double total;
};

typedef void task(struct work *work);

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static double ns_per_value(task *run, struct work *work)
{
    double started = now_ns();
    for (int i = 0; i < REPEATS; i++)
        run(work);
    return (now_ns() - started) / (REPEATS * (double)VALUES);
}

static void write_ours(struct work *work)
{
    char text[NUMBER_BYTES];
    for (size_t i = 0; i < VALUES; i++)
        work->sum += number_write(work->values[i], text);
}

static void write_printf(struct work *work)
{
    char text[TEXT_BYTES];
    for (size_t i = 0; i < VALUES; i++)
        work->sum += (size_t)snprintf(text, sizeof text, "%.17g", work->values[i]);
}

static void write_cjson(struct work *work)
{
    char text[64];
    cJSON number = {.type = cJSON_Number};
    for (size_t i = 0; i < VALUES; i++) {
        number.valuedouble = work->values[i];
        work->sum += (size_t)cJSON_PrintPreallocated(&number, text, sizeof text, 0);
    }
}

static void read_ours(struct work *work)
{
    double value;
    for (size_t i = 0; i < VALUES; i++) {
        number_read(work->text[i], strlen(work->text[i]), &value);
        work->total += value;
    }
}

static void read_library(struct work *work)
{
    for (size_t i = 0; i < VALUES; i++)
        work->total += strtod(work->text[i], NULL);
}

/* Objects of PLAN_NUMBERS members, as answers are made of. */
static void object_ours(struct work *work)
{
    for (size_t i = 0; i < VALUES;) {
        struct out out;
        const char *text;
        size_t length;
        struct err err = {.code = ERR_OK};
        arena_reset(&work->arena);
        out_init(&out, &work->arena);
        out_object_begin(&out, NULL);
        for (size_t k = 0; k < PLAN_NUMBERS; k++, i++)
            out_number(&out, "tokens_per_active_param", work->values[i % VALUES]);
        out_object_end(&out);
        if (out_finish(&out, &text, &length, &err) == ERR_OK)
            work->sum += length;
    }
}

static void object_cjson(struct work *work)
{
    for (size_t i = 0; i < VALUES;) {
        cJSON *object = cJSON_CreateObject();
        for (size_t k = 0; k < PLAN_NUMBERS; k++, i++)
            cJSON_AddNumberToObject(object, "tokens_per_active_param", work->values[i % VALUES]);
        char *text = cJSON_PrintUnformatted(object);
        work->sum += strlen(text);
        cJSON_free(text);
        cJSON_Delete(object);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

/* A row: how many times faster ours is, by the median of the rounds' ratios. */
static void compare_tasks(struct work *work, const char *what, task *ours, const char *against,
                          task *theirs, const char *goal)
{
    double ratio[ROUNDS], our_ns[ROUNDS], their_ns[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        our_ns[i] = ns_per_value(ours, work);
        their_ns[i] = ns_per_value(theirs, work);
        ratio[i] = their_ns[i] / our_ns[i];
    }
    printf("%s: %.1f ns, %s %.1f ns\n", what, median(our_ns), against, median(their_ns));
    printf("{\"what\": \"%s\", \"against\": \"%s\", \"ratio\": %.3g, \"goal\": %s}\n", what,
           against, median(ratio), goal);
}

/* How fast text is checked before a parser sees it; a remark, there is nothing to compare with. */
static void remark_check(struct work *work)
{
    struct err err = {.code = ERR_OK};
    struct json_facts facts;
    struct out out;
    const char *text;
    size_t length;
    arena_reset(&work->arena);
    out_init(&out, &work->arena);
    out_array_begin(&out, NULL);
    for (size_t i = 0; i < VALUES; i++) {
        out_object_begin(&out, NULL);
        out_text(&out, "name", "moe-e8-1.2b-20b");
        out_number(&out, "n_active", work->values[i]);
        out_number(&out, "tokens", 2e10);
        out_number(&out, "loss", 2.5137);
        out_object_end(&out);
    }
    out_array_end(&out);
    if (out_finish(&out, &text, &length, &err) != ERR_OK)
        return;
    double started = now_ns();
    for (int i = 0; i < REPEATS; i++)
        work->sum += json_check(text, length, "", &facts, &err) == ERR_OK;
    printf("strict check of runs as JSON: %.0f MB/s\n",
           REPEATS * (double)length / (now_ns() - started) * 1e3);
}

int main(void)
{
    static struct work work;
    arena_init(&work.arena, 16 << 20);
    for (size_t i = 0; i < VALUES; i++) { /* 16 to 17 digits each, from 1e-9 to 1e25 */
        work.values[i] = exp(78 * (double)i / VALUES - 20) * (1 + sin((double)i) / 10);
        work.text[i][number_write(work.values[i], work.text[i])] = '\0';
    }
    compare_tasks(&work, "a number written, shortest form", write_ours, "snprintf %.17g",
                  write_printf, "null");
    compare_tasks(&work, "a number written, shortest form", write_ours, "cJSON", write_cjson,
                  "\">= 10\"");
    compare_tasks(&work, "a number read, 16 to 17 digits", read_ours, "strtod", read_library,
                  "null");
    compare_tasks(&work, "an object of 40 numbers written, per number", object_ours, "cJSON",
                  object_cjson, "\">= 10\"");
    remark_check(&work);
    arena_release(&work.arena);
    return work.sum > 0 && work.total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
