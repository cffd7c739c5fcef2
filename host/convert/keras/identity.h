/* Whether a class that a file names is Keras' own. A name does not tell: anybody may write a `class
 * Attention`. */
#ifndef CUSEQ_KERAS_IDENTITY_H
#define CUSEQ_KERAS_IDENTITY_H

#include "convert/keras/graph.h"

/* Checks a layer's class, and those of the layers and cells in it, as far as cuseq knows their names; others
 * are left to whoever evaluates them. Keras 3, and Keras 2 in .keras files, write where a class is from: it
 * must be Keras. Where a legacy .h5 lacks that, the configuration must have the very keys that this version's
 * class has. In either case a key that no version writes is refused, for what it means is not known.
 *   json     what is serialized: {"class_name": ..., "config": ..., "module": ..., "registered_name": ...}
 *   layer    receives is_operation and origin; errors name it */
cuseq_status identity_check(const struct keras_version *version, const json_t *json,
                            struct keras_layer *layer);

/* Whether a class that is serialized with its module, "json" as above, is Keras' own. */
bool identity_is_own_class(const json_t *json);

/* Whether a class has the name of one of Keras' models, of any version. */
bool identity_is_model_class(const char *class_name);

/* Whether the Keras that wrote a file calls a model of its own so: "Functional" is "Model" before 2.4. */
bool identity_is_model_class_of(const struct keras_version *version, const char *class_name);

#endif
