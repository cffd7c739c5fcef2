/* Names of the special registers whose value is constant for a thread. */
#include "build.h"

#include <string.h>

static const struct {
  const char *name;
  enum emu_special which;
} names[] = {
    {"%tid.x", EMU_SPECIAL_TID_X},
    {"%tid.y", EMU_SPECIAL_TID_Y},
    {"%tid.z", EMU_SPECIAL_TID_Z},
    {"%ntid.x", EMU_SPECIAL_NTID_X},
    {"%ntid.y", EMU_SPECIAL_NTID_Y},
    {"%ntid.z", EMU_SPECIAL_NTID_Z},
    {"%ctaid.x", EMU_SPECIAL_CTAID_X},
    {"%ctaid.y", EMU_SPECIAL_CTAID_Y},
    {"%ctaid.z", EMU_SPECIAL_CTAID_Z},
    {"%nctaid.x", EMU_SPECIAL_NCTAID_X},
    {"%nctaid.y", EMU_SPECIAL_NCTAID_Y},
    {"%nctaid.z", EMU_SPECIAL_NCTAID_Z},
    {"%clusterid.x", EMU_SPECIAL_CLUSTERID_X},
    {"%clusterid.y", EMU_SPECIAL_CLUSTERID_Y},
    {"%clusterid.z", EMU_SPECIAL_CLUSTERID_Z},
    {"%nclusterid.x", EMU_SPECIAL_NCLUSTERID_X},
    {"%nclusterid.y", EMU_SPECIAL_NCLUSTERID_Y},
    {"%nclusterid.z", EMU_SPECIAL_NCLUSTERID_Z},
    {"%cluster_ctaid.x", EMU_SPECIAL_CLUSTER_CTAID_X},
    {"%cluster_ctaid.y", EMU_SPECIAL_CLUSTER_CTAID_Y},
    {"%cluster_ctaid.z", EMU_SPECIAL_CLUSTER_CTAID_Z},
    {"%cluster_nctaid.x", EMU_SPECIAL_CLUSTER_NCTAID_X},
    {"%cluster_nctaid.y", EMU_SPECIAL_CLUSTER_NCTAID_Y},
    {"%cluster_nctaid.z", EMU_SPECIAL_CLUSTER_NCTAID_Z},
    {"%cluster_ctarank", EMU_SPECIAL_CLUSTER_CTARANK},
    {"%cluster_nctarank", EMU_SPECIAL_CLUSTER_NCTARANK},
    {"%is_explicit_cluster", EMU_SPECIAL_IS_EXPLICIT_CLUSTER},
    {"%laneid", EMU_SPECIAL_LANEID},
    {"%warpid", EMU_SPECIAL_WARPID},
    {"%nwarpid", EMU_SPECIAL_NWARPID},
    {"%smid", EMU_SPECIAL_SMID},
    {"%nsmid", EMU_SPECIAL_NSMID},
    {"%gridid", EMU_SPECIAL_GRIDID},
    {"%lanemask_eq", EMU_SPECIAL_LANEMASK_EQ},
    {"%lanemask_le", EMU_SPECIAL_LANEMASK_LE},
    {"%lanemask_lt", EMU_SPECIAL_LANEMASK_LT},
    {"%lanemask_ge", EMU_SPECIAL_LANEMASK_GE},
    {"%lanemask_gt", EMU_SPECIAL_LANEMASK_GT},
    {"%dynamic_smem_size", EMU_SPECIAL_DYNAMIC_SMEM},
    {"%total_smem_size", EMU_SPECIAL_TOTAL_SMEM},
    {"%aggr_smem_size", EMU_SPECIAL_AGGR_SMEM},
    {"%reserved_smem_offset_begin", EMU_SPECIAL_RESERVED_BEGIN},
    {"%reserved_smem_offset_end", EMU_SPECIAL_RESERVED_END},
    {"%reserved_smem_offset_cap", EMU_SPECIAL_RESERVED_END},
    {"%reserved_smem_offset_0", EMU_SPECIAL_RESERVED_0},
    {"%reserved_smem_offset_1", EMU_SPECIAL_RESERVED_1},
};

int emu_special_by_name(const char *name) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (!strcmp(names[i].name, name))
      return (int)names[i].which;
  unsigned number;
  if (!strncmp(name, "%envreg", 7) && sscanf(name + 7, "%2u", &number) == 1 && number < 32)
    return EMU_SPECIAL_ENVREG + (int)number;
  return -1;
}
