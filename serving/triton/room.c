#include "room.h"

#include <stdlib.h>

enum { KEPT = 1 << 20 };

TRITONSERVER_Error *room_reserve(struct room *room, size_t count, size_t size) {
  if (count > SIZE_MAX / 2 / size)
    return fault_memory("request");
  size_t needed = count * size;
  if (needed <= room->capacity)
    return NULL;
  free(room->data);
  room->capacity = 0;
  room->data = malloc(needed + needed / 2); /* contents need not be copied: no realloc */
  if (!room->data)
    return fault_memory("request");
  room->capacity = needed + needed / 2;
  return NULL;
}

void room_free(struct room *room) {
  free(room->data);
  *room = (struct room){0};
}

void room_trim(struct room *room) {
  if (room->capacity > KEPT)
    room_free(room);
}
