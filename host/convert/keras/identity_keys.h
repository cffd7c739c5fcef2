/* The keys that each Keras writes into the configuration of each class that cuseq knows. */
#ifndef CUSEQ_KERAS_IDENTITY_KEYS_H
#define CUSEQ_KERAS_IDENTITY_KEYS_H

#include "convert/keras/graph.h"

/* The keys are one text of words KEY[?][@RANGE[,RANGE...]]: the key is written always, or with ? in some
 * cases, by the versions in one of the ranges, or by all. A range is a line of versions - s the keras package
 * before version 2.4, t TensorFlow's Keras 2 and tf_keras, n Keras 3 - and minor versions: "t", "t3-" (from 3
 * on), "t3-9", "t3". A key may have several words. */
struct identity_keys {
  const char *class_name;
  const char *keys;
};

/* The keys of a layer, or of an operation of Keras 3's; NULL: none of that name is known. */
const struct identity_keys *identity_layer_keys(const char *class_name);
const struct identity_keys *identity_operation_keys(const char *class_name);

/* Whether this version has a layer of that name, which is among those above. */
bool identity_has_layer(const struct keras_version *version, const char *class_name);

/* Whether the version is later than those that the table was made of. */
bool identity_is_later(const struct keras_version *version);

enum identity_writes { WRITES_NEVER, WRITES_SOMETIMES, WRITES_ALWAYS };

/* Whether this version writes the key. */
enum identity_writes identity_key(const struct identity_keys *keys, const struct keras_version *version,
                                  const char *key);

/* The next key that this version always writes: *at is where to look in keys->keys, 0 at first, and is moved
 * on. false at the end. */
bool identity_next_key(const struct identity_keys *keys, const struct keras_version *version, size_t *at,
                       char *key, size_t capacity);

#endif
