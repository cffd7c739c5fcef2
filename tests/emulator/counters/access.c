/* Counts memory requests: sectors of global memory, bank conflicts of shared memory. */
#include "../scheduler/block.h"

enum { SLOTS = 128, BANKS = 32 };

/* How many different values there are among those of the mask. */
static unsigned distinct(const uint64_t values[EMU_LANES], uint32_t mask, unsigned shift) {
  uint64_t table[SLOTS];
  unsigned char used[SLOTS] = {0};
  unsigned count = 0;
  EMU_FOR_LANES (lane, mask) {
    uint64_t v = values[lane] >> shift;
    unsigned slot = (unsigned)(v * UINT64_C(0x9e3779b97f4a7c15) >> 57);
    while (used[slot] && table[slot] != v)
      slot = (slot + 1) % SLOTS;
    count += !used[slot];
    used[slot] = 1;
    table[slot] = v;
  }
  return count;
}

/* Passes that one group of lanes takes: the most different words of any bank. */
static unsigned passes(const uint64_t address[EMU_LANES], uint32_t mask, unsigned words) {
  uint64_t seen[BANKS][EMU_LANES];
  unsigned char count[BANKS] = {0};
  unsigned most = 0;
  EMU_FOR_LANES (lane, mask)
    for (unsigned k = 0; k < words; k++) {
      uint64_t word = (address[lane] >> 2) + k;
      unsigned bank = word % BANKS, i = 0;
      while (i < count[bank] && seen[bank][i] != word)
        i++;
      if (i == count[bank])
        seen[bank][count[bank]++] = word;
      most = count[bank] > most ? count[bank] : most;
    }
  return most;
}

/* 8-byte accesses go by half-warps, 16-byte ones by quarter-warps. */
unsigned emu_replays(const uint64_t address[EMU_LANES], unsigned bytes, uint32_t mask) {
  unsigned groups = bytes <= 4 ? 1 : bytes <= 8 ? 2 : 4, lanes = EMU_LANES / groups, extra = 0;
  unsigned words = bytes <= 4 ? 1 : bytes / 4;
  for (unsigned g = 0; g < groups; g++) {
    uint32_t part = mask & ((lanes == 32 ? EMU_ALL_LANES : (1u << lanes) - 1) << g * lanes);
    if (part)
      extra += passes(address, part, words) - 1;
  }
  return extra;
}

bool emu_count_look(struct emu_warp *w, const struct emu_instruction *in, uint64_t address, bool changed,
                    uint32_t mask) {
  bool polls = !changed && w->look == in && w->look_address == address;
  w->look = in;
  w->look_address = address;
  if (polls)
    emu_count_poll(w, in, mask);
  return polls;
}

void emu_count_poll(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  w->worker->tallies[in->index].polls++;
  emu_tally_undo(w, in, mask);
}

void emu_count_access(struct emu_warp *w, const struct emu_instruction *in, enum emu_space space,
                      const uint64_t address[EMU_LANES], unsigned bytes, unsigned kind, uint32_t mask) {
  struct emu_tally *t = &w->worker->tallies[in->index];
  int which = (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? EMU_TALLY_ATOMIC
              : kind & EMU_WRITE                        ? EMU_TALLY_STORE
                                                        : EMU_TALLY_LOAD;
  if (space == EMU_SPACE_SHARED) {
    t->shared_requests[which]++;
    t->shared_replays += emu_replays(address, bytes, mask);
  } else if (space == EMU_SPACE_LOCAL) {
    t->local_requests[which]++;
    t->local_bytes += (uint64_t)bytes * (uint64_t)__builtin_popcount(mask);
  } else if (space == EMU_SPACE_GLOBAL) {
    unsigned shift = (unsigned)__builtin_ctz(bytes);
    unsigned apart = distinct(address, mask, shift);
    t->global_requests[which]++;
    t->global_sectors[which] += bytes > 32 ? apart * (bytes / 32) : distinct(address, mask, 5);
    t->global_ideal += ((uint64_t)apart * bytes + 31) / 32;
  }
}
