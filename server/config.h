/* config: a Hugging Face config.json, reduced to the numbers of core/transformer.h.
 *
 * The style is told by model_type (or, without one, by architectures); its keys are checked, all
 * others are left alone: real configurations have many.
 */
#ifndef MOEPLAN_SERVER_CONFIG_H
#define MOEPLAN_SERVER_CONFIG_H

#include "core/arena.h"
#include "core/transformer.h"
#include "server/json.h"

/* ERR_INVALID with the pointer of each key that lacks or is wrong. *ret_style: the model_type. */
enum err_code config_read(const struct json *root, struct arena *arena, struct transformer *ret,
                          const char **ret_style, struct err *err);

#endif
