/* config: a Hugging Face config.json, reduced to the numbers of core/transformer.h.
 *
 * The style is told by model_type (or, without one, by architectures); its keys are checked, all
 * others are left alone: real configurations have many. A configuration that a plan was exported as
 * says under `moeplan` how the plan counted.
 */
#ifndef MOEPLAN_SERVER_CONFIG_H
#define MOEPLAN_SERVER_CONFIG_H

#include "core/arena.h"
#include "core/transformer.h"
#include "server/counting.h"
#include "server/json.h"

/* The key an exported configuration states its counting under: an object with the members
 * `embedding` and `count`, and others. */
#define CONFIG_COUNTING "moeplan"

struct config {
    struct transformer transformer;
    const char *style; /* the model_type */
    struct counting counting;
};

/* ERR_INVALID with the pointer of each key that lacks or is wrong. */
enum err_code config_read(const struct json *root, struct arena *arena, struct config *ret,
                          struct err *err);

#endif
