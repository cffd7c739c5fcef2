"""What a turn of a loop costs by its machine code: an estimate, not a time.

cycles() is one warp alone, its instructions issued in order as the compiler's control words say; chain() is the longest path from
turn to turn through what instructions need of one another, issued whenever that is there. Neither knows an instruction cache, other
warps, bank conflicts or the memory system; the latencies are those of the literature's microbenchmarks, one for all architectures,
and matter in so far as they are the same before and after a change.
"""

import registers

ROUNDS = 12  # turns, so that what one begins and a later one waits for is in it
JUMP = 10  # cycles that a branch which is taken costs

# Until the result is there, by kind; others that set a scoreboard take 20.
LATENCY = {
    "LDS": 30, "SHFL": 24, "MUFU": 20, "S2UR": 25, "S2R": 25, "LDC": 30, "BAR": 25, "LDG": 300, "LD": 35, "R2UR": 12, "F2I": 20,
    "I2F": 20, "STS": 12, "STG": 12, "ST": 220, "STAS": 220, "MEMBAR": 300, "CCTL": 10, "LDGSTS": 300, "RED": 300, "ATOMG": 500,
    "ATOMS": 60, "REDUX": 20, "VOTE": 12, "UCGABAR_WAIT": 220, "SYNCS": 30, "LDL": 35, "STL": 12, "LDSM": 33, "HMMA": 33,
}
OTHER = 20
FIXED = 4  # of arithmetic whose latency the compiler knows
PREDICATE = 12  # until a predicate can be used
READS = 10  # until operands have been read
SHARES = {"MUFU": ("function units", 8)}  # what instructions of a warp take from one another, and for how many cycles
TENSOR = {75: 16, 80: 8, 90: 4, 100: 4, 120: 8}  # cycles that a tensor core needs for an instruction of 8 (tf32) or 16 k (16 bits)
for kind in ("LDS", "STS", "SHFL", "LDG", "STG", "LD", "ST", "ATOMS", "STAS", "LDL", "STL", "RED", "ATOMG", "LDGSTS", "LDSM"):
    SHARES[kind] = "memory pipe", 2
WAITS = ("BAR", "UCGABAR_WAIT")  # nothing is issued before they are over


def arrives(i):
    """A barrier that is told and not awaited."""
    return ".ARV" in i.opcode


def timeline(path):
    """The last of some turns: [(cycle of the turn in which it is issued, cycles it waited beyond its turn, instruction)]."""
    return turns(path)[1]


def cycles(path):
    """Of a turn of a warp that issues in order."""
    return turns(path)[0]


class Warp:
    """One of several that share a scheduler and what is behind it, at an instruction of its path."""

    def __init__(self, path, begins):
        self.path, self.at, self.now, self.boards, self.begun = path, 0, begins, [0] * 6, [begins]

    def issue(self, free, architecture):
        """When its next instruction can be issued, and which unit that takes for how long."""
        i = self.path[self.at][0]
        unit, cycles = ("tensor cores", TENSOR[architecture]) if i.kind == "HMMA" else SHARES.get(i.kind, (None, 0))
        ready = max([self.now, free.get("scheduler", 0)] + [self.boards[k] for k in range(6) if i.waits >> k & 1])
        return max(ready, free.get(unit, 0)), unit, cycles

    def go_on(self, issue):
        i, jumps = self.path[self.at]
        if i.sets != 7:
            self.boards[i.sets] = max(self.boards[i.sets], issue + LATENCY.get(i.kind, OTHER))
        if i.frees != 7:
            self.boards[i.frees] = max(self.boards[i.frees], issue + READS)
        self.now = issue + max(i.stall, 1)
        if i.kind in WAITS:
            self.now = max(self.now, issue + LATENCY[i.kind])
        self.now += JUMP if jumps else 0
        self.at += 1
        if self.at == len(self.path):
            self.at = 0
            self.begun.append(self.now)


def cycles_together(path, count, architecture):
    """Of a turn of `count` warps of one scheduler that do not wait for one another, once they have found their rhythm: the one that can
    go on first does. They begin apart."""
    alone = len(path)
    warps, free = [Warp(path, n * alone // count) for n in range(count)], {}
    while min(len(warp.begun) for warp in warps) <= ROUNDS:
        (issue, unit, cycles), warp = min(((one.issue(free, architecture), one) for one in warps), key=lambda each: each[0][0])
        warps.sort(key=lambda one: one is warp)  # of those that are as early the other is next
        free["scheduler"] = issue + 1
        if unit:
            free[unit] = issue + cycles
        warp.go_on(issue)
    half = ROUNDS // 2
    return sum((warp.begun[ROUNDS] - warp.begun[half]) / (ROUNDS - half) for warp in warps) / count


def turns(path):
    now, begin, issued = 0, 0, []
    boards, free = [0] * 6, {}
    for _ in range(ROUNDS):
        begin, issued = now, []
        for i, jumps in path:
            issue = max([now] + [boards[k] for k in range(6) if i.waits >> k & 1])
            if i.kind in SHARES:
                unit, for_cycles = SHARES[i.kind]
                issue = max(issue, free.get(unit, 0))
                free[unit] = issue + for_cycles
            issued.append((issue - begin, issue - now, i))
            if i.sets != 7:
                boards[i.sets] = max(boards[i.sets], issue + LATENCY.get(i.kind, OTHER))
            if i.frees != 7:
                boards[i.frees] = max(boards[i.frees], issue + READS)
            now = issue + max(i.stall, 1)
            if i.kind in WAITS and not arrives(i):
                now = max(now, issue + LATENCY[i.kind])
            now += JUMP if jumps else 0
    return now - begin, issued


def phases(path):
    """Cycles of a turn between two barriers of the whole block, from the last of them on."""
    total, issued = turns(path)
    at = [cycle for cycle, _, i in issued if i.kind == "BAR" and i.operands[:1] == ["0x0"] and not arrives(i)]
    if not at:
        return [total]
    return [at[0] + total - at[-1]] + [there - before for before, there in zip(at, at[1:])]


def latency(i):
    if i.sets != 7 or i.kind in LATENCY:
        return LATENCY.get(i.kind, OTHER)
    return FIXED


def chain(path):
    """Of a turn of what needs one another alone. Shared memory is one thing: what is read there needs all that was written, a
    barrier all that was written before it, and what is behind a barrier the barrier."""
    ready, written, passed = {}, 0, 0
    ends = []
    for _ in range(ROUNDS):
        last = 0
        for i, _ in path:
            reads, writes, is_predicate = registers.used(i)
            start = max([ready.get(one, 0) for one in reads], default=0)
            if (i.kind in WAITS and not arrives(i)) or i.kind == "SYNCS":
                start = max(start, written, passed)
                passed = start + LATENCY[i.kind]
            elif i.kind in ("LDS", "LDSM"):
                start = max(start, written, passed)
            elif i.kind in ("STS", "STAS", "ST"):
                start = max(start, passed)
                written = max(written, start + 2)
                last = max(last, written)
            there = start + latency(i)
            for one in writes:
                ready[one] = there
            for one in is_predicate:
                ready[one] = start + PREDICATE
            if writes and not i.kind.startswith("LDG"):
                last = max(last, there)
        ends.append(last)
    half = ROUNDS // 2
    return (ends[-1] - ends[half - 1]) / (ROUNDS - half)
