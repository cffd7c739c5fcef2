#include "graph.h"

#include <stdlib.h>

/* Objects of the program's own that graphs keep alive: counted references, destroyed with the last. */

struct emu_user_object {
  void *data;
  cudaHostFn_t destroy;
  unsigned references;
};

static struct emu_user_object *find(cudaUserObject_t handle) {
  return emu_handle_is(handle, EMU_HANDLE_OBJECT) ? (struct emu_user_object *)handle : NULL;
}

static void drop(struct emu_user_object *object, unsigned count) {
  object->references -= count < object->references ? count : object->references;
  if (object->references)
    return;
  emu_handle_remove(object);
  emu_unlock_for_callback();
  object->destroy(object->data);
  emu_lock_after_callback();
  free(object);
}

static void hold(cudaGraph_t graph, struct emu_user_object *object) {
  graph->objects =
      emu_need_again(graph->objects, (graph->object_count + 1) * sizeof(struct emu_user_object *));
  graph->objects[graph->object_count++] = object;
}

void emu_user_objects_share(cudaGraph_t to, cudaGraph_t from) {
  for (size_t i = 0; i < from->object_count; i++) {
    from->objects[i]->references++;
    hold(to, from->objects[i]);
  }
}

void emu_user_objects_drop(cudaGraph_t graph) {
  while (graph->object_count)
    drop(graph->objects[--graph->object_count], 1);
  free(graph->objects);
  graph->objects = NULL;
}

static cudaError_t create(cudaUserObject_t *out, void *data, cudaHostFn_t destroy, unsigned references,
                          unsigned flags) {
  if (!out || !destroy || !references || flags != cudaUserObjectNoDestructorSync)
    return cudaErrorInvalidValue;
  struct emu_user_object *object = emu_need(sizeof *object);
  *object = (struct emu_user_object){data, destroy, references};
  emu_handle_add(object, EMU_HANDLE_OBJECT);
  *out = (cudaUserObject_t)object;
  return cudaSuccess;
}

static cudaError_t retain(cudaUserObject_t handle, unsigned count) {
  struct emu_user_object *object = find(handle);
  if (!object || !count)
    return cudaErrorInvalidValue;
  object->references += count;
  return cudaSuccess;
}

static cudaError_t release(cudaUserObject_t handle, unsigned count) {
  struct emu_user_object *object = find(handle);
  if (!object || !count || count > object->references)
    return cudaErrorInvalidValue;
  drop(object, count);
  return cudaSuccess;
}

static cudaError_t graph_retain(cudaGraph_t graph, cudaUserObject_t handle, unsigned count, unsigned flags) {
  struct emu_user_object *object = find(handle);
  EMU_TRY(emu_graph_find(graph));
  if (!object || !count || (flags & ~(unsigned)cudaGraphUserObjectMove))
    return cudaErrorInvalidValue;
  for (unsigned i = 0; i < count; i++)
    hold(graph, object);
  if (!(flags & cudaGraphUserObjectMove))
    object->references += count;
  return cudaSuccess;
}

static cudaError_t graph_release(cudaGraph_t graph, cudaUserObject_t handle, unsigned count) {
  struct emu_user_object *object = find(handle);
  EMU_TRY(emu_graph_find(graph));
  unsigned held = 0;
  for (size_t i = 0; object && i < graph->object_count; i++)
    held += graph->objects[i] == object;
  if (!object || !count || held < count)
    return cudaErrorInvalidValue;
  for (size_t i = graph->object_count; i-- > 0 && count;)
    if (graph->objects[i] == object) {
      graph->objects[i] = graph->objects[--graph->object_count];
      drop(object, 1);
      count--;
    }
  return cudaSuccess;
}

cudaError_t cudaUserObjectCreate(cudaUserObject_t *object_out, void *ptr, cudaHostFn_t destroy,
                                 unsigned int initialRefcount, unsigned int flags) {
  EMU_API(create(object_out, ptr, destroy, initialRefcount, flags));
}

cudaError_t cudaUserObjectRetain(cudaUserObject_t object, unsigned int count) {
  EMU_API(retain(object, count));
}

cudaError_t cudaUserObjectRelease(cudaUserObject_t object, unsigned int count) {
  EMU_API(release(object, count));
}

cudaError_t cudaGraphRetainUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned int count,
                                      unsigned int flags) {
  EMU_API(graph_retain(graph, object, count, flags));
}

cudaError_t cudaGraphReleaseUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned int count) {
  EMU_API(graph_release(graph, object, count));
}
