/* Memory that is kept from one call to the next and only grows, so that a steady load allocates nothing. */
#ifndef CUSEQ_SERVING_ROOM_H
#define CUSEQ_SERVING_ROOM_H

#include "fault.h"

struct room {
  void *data;
  size_t capacity; /* bytes                                                                                */
};

/* At least `count` elements of `size` bytes at room->data; what was there is lost. */
TRITONSERVER_Error *room_reserve(struct room *room, size_t count, size_t size);
void room_free(struct room *room);

/* Frees what one very large request has left behind: more than a megabyte. */
void room_trim(struct room *room);

#endif
