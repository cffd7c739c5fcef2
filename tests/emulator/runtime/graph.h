#ifndef EMU_RUNTIME_GRAPH_H
#define EMU_RUNTIME_GRAPH_H

#include "queue.h"

/* Memory that a graph's allocation node stands for: its place is there from the node's making until nothing
 * refers to it. */
struct emu_graph_allocation {
  uint64_t address;
  size_t bytes;
  int device, users;
  /* a launch that the program has asked for allocates it, and nothing that was asked for since frees it */
  bool outstanding;
  struct emu_graph_allocation *next;
};

struct CUgraphNode_st {
  cudaGraph_t graph;
  struct emu_work work;
  cudaGraphNode_t *before; /* what it depends on */
  size_t before_count;
  cudaGraphNode_t origin; /* the node it is a copy of, in a clone or an executable graph */
  bool disabled;
  const void *function; /* a kernel node's function as it was given */
  void **parameters;    /* pointers to a kernel node's arguments, as they are asked for */
  cudaLaunchAttributeValue priority;
  size_t order; /* in a topological order, while one is being made */
};

struct CUgraph_st {
  cudaGraphNode_t *nodes;
  size_t count;
  bool inner; /* belongs to a node or an executable graph, not to the program */
  struct emu_user_object **objects;
  size_t object_count;
};

struct CUgraphExec_st {
  cudaGraph_t graph;
  unsigned long long flags;
  int device;
  uint32_t *queues;
  size_t queue_count;
  struct emu_clock last; /* its latest launch: two launches of one executable graph never overlap */
};

cudaError_t emu_graph_find(cudaGraph_t graph);
cudaError_t emu_node_find(cudaGraphNode_t node, enum emu_work_kind kind);
cudaGraph_t emu_graph_make(void);
/* A deep copy; a program's own if owned. */
cudaGraph_t emu_graph_copy(cudaGraph_t graph, bool owned);
void emu_graph_delete(cudaGraph_t graph);
/* Adds a node; takes the work over, also on failure. */
cudaError_t emu_graph_add(cudaGraph_t graph, const cudaGraphNode_t *before, size_t count,
                          struct emu_work *work, cudaGraphNode_t *node);
cudaError_t emu_graph_link(cudaGraph_t graph, cudaGraphNode_t from, cudaGraphNode_t to);
/* The nodes in an order in which each comes after what it depends on; NULL if they go in a circle. */
cudaGraphNode_t *emu_graph_sorted(cudaGraph_t graph);
enum cudaGraphNodeType emu_node_type(const struct emu_work *work);
/* Replaces a node's work by work of the same kind; takes it over. */
void emu_node_set(cudaGraphNode_t node, struct emu_work *work);

/* Node parameters as work, checked as the call that they stand for is. */
cudaError_t emu_node_kernel(const struct cudaKernelNodeParams *p, struct emu_work *work);
cudaError_t emu_node_box(const struct cudaMemcpy3DParms *p, struct emu_work *work);
cudaError_t emu_node_line(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                          struct emu_work *work);
cudaError_t emu_node_set_memory(const struct cudaMemsetParams *p, struct emu_work *work);
cudaError_t emu_node_host(const struct cudaHostNodeParams *p, struct emu_work *work);
cudaError_t emu_node_event(cudaEvent_t event, enum emu_work_kind kind, struct emu_work *work);
cudaError_t emu_node_child(cudaGraph_t child, struct emu_work *work);
cudaError_t emu_node_allocate(size_t bytes, int device, void **address, struct emu_work *work);
cudaError_t emu_node_free(void *address, struct emu_work *work);
cudaError_t emu_node_any(struct cudaGraphNodeParams *p, struct emu_work *work);

void emu_graph_allocation_release(struct emu_graph_allocation *allocation);
/* Whether an address is that of a graph's allocation node: then it is retired where it is freed, for the next
 * launch. */
bool emu_graph_owns(uint64_t address);
/* The graphs' allocation at an address, held for a free of it; NULL if there is none. */
struct emu_graph_allocation *emu_graph_hold(uint64_t address);
/* The program frees such memory itself, by the call `name`. */
cudaError_t emu_graph_free(uint64_t address, const char *name);
/* A launch is asked for: refused where memory of the one before has not been freed. */
cudaError_t emu_graph_launch_memory(cudaGraphExec_t exec);
void emu_user_objects_share(cudaGraph_t to, cudaGraph_t from);
void emu_user_objects_drop(cudaGraph_t graph);

#endif
