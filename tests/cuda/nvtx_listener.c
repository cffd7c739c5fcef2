/* A tool that listens to NVTX, as profilers do: NVTX_INJECTION64_PATH names this library, and
 * NVTX_LISTENER_FILE the file that it writes. Every range is a line when it begins, indented by its depth on
 * its thread,
 *   DOMAIN: NAME B=2 T=8 H=6        (the payload's entries, as the registered schema names and places them)
 * and a line "." follows when a thread is out of all ranges. What breaks NVTX's rules is a line that begins
 * with "wrong". */
#include <nvtx3/nvToolsExtPayload.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8, NAME = 64 };

struct listener_schema {
  char names[MOST][NAME];
  uint64_t offsets[MOST];
  size_t count, size;
};

static FILE *file;
static char domains[MOST][NAME];
static int domain_count;
static struct listener_schema schemas[MOST];
static int schema_count;
static _Thread_local int depth;

/* What NVTX looks for in the library. */
__attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table);
__attribute__((visibility("default"))) int InitializeInjectionNvtxExtension(nvtxExtModuleInfo_t *module);

static nvtxDomainHandle_t domain_create(const char *name) {
  if (domain_count == MOST)
    return NULL;
  snprintf(domains[domain_count], NAME, "%s", name);
  return (nvtxDomainHandle_t)(void *)domains[domain_count++];
}

static uint64_t schema_register(nvtxDomainHandle_t domain, const nvtxPayloadSchemaAttr_t *attributes) {
  const uint64_t needed = NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_TYPE | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_ENTRIES |
                          NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NUM_ENTRIES |
                          NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_STATIC_SIZE;
  if (!domain || (attributes->fieldMask & needed) != needed || schema_count == MOST ||
      attributes->type != NVTX_PAYLOAD_SCHEMA_TYPE_STATIC || attributes->numEntries > MOST) {
    fprintf(file, "wrong schema\n");
    return 0;
  }
  struct listener_schema *schema = &schemas[schema_count++];
  schema->count = attributes->numEntries;
  schema->size = attributes->payloadStaticSize;
  for (size_t i = 0; i < schema->count; i++) {
    const nvtxPayloadSchemaEntry_t *entry = &attributes->entries[i];
    if (entry->type != NVTX_PAYLOAD_ENTRY_TYPE_INT32 || entry->offset + sizeof(int32_t) > schema->size)
      fprintf(file, "wrong entry of a schema\n");
    snprintf(schema->names[i], NAME, "%s", entry->name);
    schema->offsets[i] = entry->offset;
  }
  return NVTX_PAYLOAD_SCHEMA_ID_DYNAMIC_START + (uint64_t)schema_count;
}

static void payload_write(const nvtxPayloadData_t *data) {
  uint64_t number = data->schemaId - NVTX_PAYLOAD_SCHEMA_ID_DYNAMIC_START - 1;
  if (number >= (uint64_t)schema_count || data->size != schemas[number].size) {
    fprintf(file, " wrong payload");
    return;
  }
  const struct listener_schema *schema = &schemas[number];
  for (size_t i = 0; i < schema->count; i++) {
    int32_t value;
    memcpy(&value, (const char *)data->payload + schema->offsets[i], sizeof value);
    fprintf(file, " %s=%d", schema->names[i], (int)value);
  }
}

static int range_push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event) {
  if (!domain || event->version != NVTX_VERSION || event->size != sizeof *event ||
      event->messageType != NVTX_MESSAGE_TYPE_ASCII) {
    fprintf(file, "wrong range\n");
    return depth++;
  }
  fprintf(file, "%s: %*s%s", (const char *)(const void *)domain, 2 * depth, "", event->message.ascii);
  if (event->payloadType == NVTX_PAYLOAD_TYPE_EXT)
    for (uint32_t i = 0; i < (uint32_t)event->reserved0; i++)
      payload_write((const nvtxPayloadData_t *)(uintptr_t)event->payload.ullValue + i);
  fprintf(file, "\n");
  fflush(file);
  return depth++;
}

static int range_pop(nvtxDomainHandle_t domain) {
  if (!domain || depth == 0)
    fprintf(file, "wrong end of a range\n");
  else if (--depth == 0)
    fprintf(file, ".\n");
  fflush(file);
  return depth;
}

static void handle(NvtxFunctionTable table, unsigned int size, unsigned int which,
                   NvtxFunctionPointer handler) {
  if (which < size)
    *table[which] = handler;
}

int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table) {
  const char *path = getenv("NVTX_LISTENER_FILE");
  file = path ? fopen(path, "w") : NULL;
  const NvtxExportTableCallbacks *callbacks = export_table(NVTX_ETID_CALLBACKS);
  NvtxFunctionTable table = NULL;
  unsigned int size = 0;
  if (!file || !callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size))
    return 0;
  handle(table, size, NVTX_CBID_CORE2_DomainCreateA, (NvtxFunctionPointer)domain_create);
  handle(table, size, NVTX_CBID_CORE2_DomainRangePushEx, (NvtxFunctionPointer)range_push);
  handle(table, size, NVTX_CBID_CORE2_DomainRangePop, (NvtxFunctionPointer)range_pop);
  return 1;
}

int InitializeInjectionNvtxExtension(nvtxExtModuleInfo_t *module) {
  if (module->moduleId != NVTX_EXT_PAYLOAD_MODULEID || module->segmentsCount == 0)
    return 0;
  module->segments[0].functionSlots[NVTX3EXT_CBID_nvtxPayloadSchemaRegister] = (intptr_t)schema_register;
  return 1;
}
