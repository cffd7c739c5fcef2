#include "graph.h"
#include "kernel.h"

/* What a node does, as its parameters are asked for; and a kernel node's launch attributes. */

static cudaError_t kernel(cudaGraphNode_t node, struct cudaKernelNodeParams *out) {
  struct emu_kernel *loaded;
  struct emu_kernel_info info;
  EMU_TRY(emu_node_find(node, EMU_WORK_KERNEL));
  if (!out)
    return cudaErrorInvalidValue;
  const struct emu_kernel_work *k = &node->work.kernel;
  EMU_TRY(emu_function_load(k->function, node->work.device, &loaded, &info));
  if (!node->parameters) {
    node->parameters = emu_need((info.parameter_count + 1) * sizeof *node->parameters);
    for (uint32_t i = 0; i < info.parameter_count; i++)
      node->parameters[i] = k->arguments + info.parameters[i].offset;
  }
  *out = (struct cudaKernelNodeParams){.func = (void *)(uintptr_t)node->function,
                                       .gridDim = {k->grid.x, k->grid.y, k->grid.z},
                                       .blockDim = {k->block.x, k->block.y, k->block.z},
                                       .sharedMemBytes = k->dynamic_shared,
                                       .kernelParams = node->parameters};
  return cudaSuccess;
}

static struct cudaPitchedPtr pointer(const struct emu_copy_side *side, size_t width) {
  return (struct cudaPitchedPtr){.ptr = (void *)(uintptr_t)side->address,
                                 .pitch = side->pitch,
                                 .xsize = width,
                                 .ysize = side->pitch ? side->slice / side->pitch : 1};
}

static cudaError_t copy(cudaGraphNode_t node, struct cudaMemcpy3DParms *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_COPY));
  if (!out)
    return cudaErrorInvalidValue;
  const struct emu_copy_work *c = &node->work.copy;
  *out = (struct cudaMemcpy3DParms){.srcPtr = pointer(&c->from, c->width),
                                    .dstPtr = pointer(&c->to, c->width),
                                    .extent = {c->width, c->height, c->depth},
                                    .kind = c->kind};
  return cudaSuccess;
}

static cudaError_t set(cudaGraphNode_t node, struct cudaMemsetParams *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_SET));
  if (!out)
    return cudaErrorInvalidValue;
  const struct emu_set_work *s = &node->work.set;
  *out = (struct cudaMemsetParams){.dst = (void *)(uintptr_t)s->to,
                                   .pitch = s->pitch,
                                   .value = s->value,
                                   .elementSize = s->element,
                                   .width = s->width,
                                   .height = s->height};
  return cudaSuccess;
}

static cudaError_t host(cudaGraphNode_t node, struct cudaHostNodeParams *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_HOST));
  if (!out)
    return cudaErrorInvalidValue;
  *out = (struct cudaHostNodeParams){.fn = node->work.host.function, .userData = node->work.host.data};
  return cudaSuccess;
}

static cudaError_t child(cudaGraphNode_t node, cudaGraph_t *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_CHILD));
  if (!out)
    return cudaErrorInvalidValue;
  *out = node->work.child;
  return cudaSuccess;
}

static cudaError_t event(cudaGraphNode_t node, enum emu_work_kind kind, cudaEvent_t *out) {
  EMU_TRY(emu_node_find(node, kind));
  if (!out)
    return cudaErrorInvalidValue;
  *out = node->work.event.event;
  return cudaSuccess;
}

static cudaError_t allocation(cudaGraphNode_t node, struct cudaMemAllocNodeParams *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_ALLOCATE));
  if (!out)
    return cudaErrorInvalidValue;
  *out = (struct cudaMemAllocNodeParams){
      .poolProps = {.allocType = cudaMemAllocationTypePinned,
                    .location = {.type = cudaMemLocationTypeDevice, .id = node->work.device}},
      .bytesize = node->work.memory.bytes,
      .dptr = (void *)(uintptr_t)node->work.memory.address};
  return cudaSuccess;
}

static cudaError_t freed(cudaGraphNode_t node, void *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_FREE));
  if (!out)
    return cudaErrorInvalidValue;
  *(void **)out = (void *)(uintptr_t)node->work.memory.address;
  return cudaSuccess;
}

cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, struct cudaKernelNodeParams *pNodeParams) {
  EMU_API(kernel(node, pNodeParams));
}

cudaError_t cudaGraphMemcpyNodeGetParams(cudaGraphNode_t node, struct cudaMemcpy3DParms *pNodeParams) {
  EMU_API(copy(node, pNodeParams));
}

cudaError_t cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, struct cudaMemsetParams *pNodeParams) {
  EMU_API(set(node, pNodeParams));
}

cudaError_t cudaGraphHostNodeGetParams(cudaGraphNode_t node, struct cudaHostNodeParams *pNodeParams) {
  EMU_API(host(node, pNodeParams));
}

cudaError_t cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t *pGraph) {
  EMU_API(child(node, pGraph));
}

cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event_out) {
  EMU_API(event(node, EMU_WORK_EVENT_RECORD, event_out));
}

cudaError_t cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event_out) {
  EMU_API(event(node, EMU_WORK_EVENT_WAIT, event_out));
}

cudaError_t cudaGraphMemAllocNodeGetParams(cudaGraphNode_t node, struct cudaMemAllocNodeParams *params_out) {
  EMU_API(allocation(node, params_out));
}

cudaError_t cudaGraphMemFreeNodeGetParams(cudaGraphNode_t node, void *dptr_out) {
  EMU_API(freed(node, dptr_out));
}

/* ---- Launch attributes of a kernel node ---- */

static cudaError_t get_attribute(cudaGraphNode_t node, cudaLaunchAttributeID id,
                                 cudaLaunchAttributeValue *out) {
  EMU_TRY(emu_node_find(node, EMU_WORK_KERNEL));
  if (!out)
    return cudaErrorInvalidValue;
  const struct emu_kernel_work *k = &node->work.kernel;
  switch (id) {
  case cudaLaunchAttributeClusterDimension:
    out->clusterDim.x = k->cluster.x;
    out->clusterDim.y = k->cluster.y;
    out->clusterDim.z = k->cluster.z;
    return cudaSuccess;
  case cudaLaunchAttributeCooperative:
    out->cooperative = k->cooperative;
    return cudaSuccess;
  case cudaLaunchAttributePriority:
    out->priority = node->priority.priority;
    return cudaSuccess;
  case cudaLaunchAttributeAccessPolicyWindow:
    *out = (cudaLaunchAttributeValue){0};
    return cudaSuccess;
  default:
    return cudaErrorInvalidValue;
  }
}

static cudaError_t set_attribute(cudaGraphNode_t node, cudaLaunchAttributeID id,
                                 const cudaLaunchAttributeValue *value) {
  EMU_TRY(emu_node_find(node, EMU_WORK_KERNEL));
  if (!value)
    return cudaErrorInvalidValue;
  struct emu_kernel_work *k = &node->work.kernel;
  switch (id) {
  case cudaLaunchAttributeClusterDimension:
    k->cluster = (struct emu_dim3){value->clusterDim.x, value->clusterDim.y, value->clusterDim.z};
    return cudaSuccess;
  case cudaLaunchAttributeCooperative:
    k->cooperative = value->cooperative != 0;
    return cudaSuccess;
  case cudaLaunchAttributePriority:
    node->priority.priority = value->priority;
    return cudaSuccess;
  case cudaLaunchAttributeAccessPolicyWindow:
    return cudaSuccess;
  default:
    return cudaErrorInvalidValue;
  }
}

static cudaError_t copy_attributes(cudaGraphNode_t from, cudaGraphNode_t to) {
  EMU_TRY(emu_node_find(from, EMU_WORK_KERNEL));
  EMU_TRY(emu_node_find(to, EMU_WORK_KERNEL));
  to->work.kernel.cluster = from->work.kernel.cluster;
  to->work.kernel.cooperative = from->work.kernel.cooperative;
  to->priority = from->priority;
  return cudaSuccess;
}

cudaError_t cudaGraphKernelNodeGetAttribute(cudaGraphNode_t hNode, cudaLaunchAttributeID attr,
                                            cudaLaunchAttributeValue *value_out) {
  EMU_API(get_attribute(hNode, attr, value_out));
}

cudaError_t cudaGraphKernelNodeSetAttribute(cudaGraphNode_t hNode, cudaLaunchAttributeID attr,
                                            const cudaLaunchAttributeValue *value) {
  EMU_API(set_attribute(hNode, attr, value));
}

cudaError_t cudaGraphKernelNodeCopyAttributes(cudaGraphNode_t hDst, cudaGraphNode_t hSrc) {
  EMU_API(copy_attributes(hSrc, hDst));
}
