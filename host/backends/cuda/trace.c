#include "backends/cuda/trace.h"

#include <nvtx3/nvToolsExtPayload.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

struct sizes {
  int32_t batch, time, units;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static nvtxDomainHandle_t domain; /* NULL: no tool listens */
static uint64_t schema;           /* 0: the tool does not know extended payloads */

static void domain_open(void) {
  static const nvtxPayloadSchemaEntry_t entries[] = {
      {.type = NVTX_PAYLOAD_ENTRY_TYPE_INT32,
       .name = "B",
       .description = "batch",
       .offset = offsetof(struct sizes, batch)},
      {.type = NVTX_PAYLOAD_ENTRY_TYPE_INT32,
       .name = "T",
       .description = "encoder positions",
       .offset = offsetof(struct sizes, time)},
      {.type = NVTX_PAYLOAD_ENTRY_TYPE_INT32,
       .name = "H",
       .description = "encoder units per direction",
       .offset = offsetof(struct sizes, units)},
  };
  const nvtxPayloadSchemaAttr_t attributes = {
      .fieldMask = NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NAME | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_TYPE |
                   NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_ENTRIES | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NUM_ENTRIES |
                   NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_STATIC_SIZE,
      .name = "cuseq sizes",
      .type = NVTX_PAYLOAD_SCHEMA_TYPE_STATIC,
      .entries = entries,
      .numEntries = sizeof entries / sizeof *entries,
      .payloadStaticSize = sizeof(struct sizes)};
  domain = nvtxDomainCreateA("cuseq");
  schema = domain ? nvtxPayloadSchemaRegister(domain, &attributes) : 0;
}

int cuda_range_begin(const char *name, int number, int32_t batch, int32_t time, int32_t units) {
  pthread_once(&once, domain_open);
  if (!domain)
    return 0;
  char text[64];
  if (number < 0)
    snprintf(text, sizeof text, "%s", name);
  else
    snprintf(text, sizeof text, "%s %d", name, number);
  const struct sizes sizes = {batch, time, units};
  nvtxPayloadData_t payload = {.schemaId = schema, .size = sizeof sizes, .payload = &sizes};
  nvtxEventAttributes_t event = {.version = NVTX_VERSION,
                                 .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
                                 .messageType = NVTX_MESSAGE_TYPE_ASCII,
                                 .message.ascii = text};
  if (schema != 0) {
    event.payloadType = NVTX_PAYLOAD_TYPE_EXT;
    event.reserved0 = 1; /* as many payloads */
    event.payload.ullValue = (uint64_t)(uintptr_t)&payload;
  }
  nvtxDomainRangePushEx(domain, &event);
  return 1;
}

void cuda_range_end(const int *begun) {
  if (*begun)
    nvtxDomainRangePop(domain);
}
