"""The flow of control in a kernel: its basic blocks, its loops, and the way through a loop that a step takes."""

import re

CONDITION = re.compile(r"!?U?P\d")  # an operand of a branch on a warp's predicate
NEVER = 10 ** 6  # of worth, which no way has
ENDS = re.compile(r"EXIT|RET|BRX|JMX|KILL")


class Flow:
    """Basic blocks of a kernel's instructions, numbered in the order of addresses."""

    def __init__(self, body):
        self.body = body
        jumps = [at for at, i in enumerate(body) if is_jump(i) or ends(i)]
        starts = {0} | {target for at in jumps for target in targets(body[at])} | {at + 1 for at in jumps}
        starts = sorted(at for at in starts if at < len(body))
        self.blocks = list(zip(starts, starts[1:] + [len(body)]))
        self.block_of = {first: number for number, (first, _) in enumerate(self.blocks)}
        self.after = [self.successors(last) for _, last in self.blocks]
        self.before = [[] for _ in self.blocks]
        for number, following in enumerate(self.after):
            for one in following:
                self.before[one].append(number)
        self.loops = self.find_loops()

    def successors(self, last):
        """Of the block that ends before `last`: where it falls through comes first."""
        instruction = self.body[last - 1]
        always = not instruction.predicate and not any(CONDITION.match(one) for one in instruction.operands)
        falls = last < len(self.body) and not (always and (ends(instruction) or (is_jump(instruction) and not parts(instruction))))
        found = [self.block_of[last]] if falls else []
        if not parts(instruction):
            found += [self.block_of[target] for target in targets(instruction)]
        return found

    def order(self):
        """Reachable blocks, each after all that come before it but for backward ones."""
        seen, done, stack = set(), [], [(0, 0)]
        seen.add(0)
        while stack:
            block, child = stack.pop()
            if child < len(self.after[block]):
                stack.append((block, child + 1))
                following = self.after[block][child]
                if following not in seen:
                    seen.add(following)
                    stack.append((following, 0))
            else:
                done.append(block)
        return done[::-1]

    def find_loops(self):
        """{first block: its blocks} of natural loops; those with one first block are one loop."""
        order = self.order()
        place = {block: at for at, block in enumerate(order)}
        above = {order[0]: order[0]}
        changed = True
        while changed:
            changed = False
            for block in order[1:]:
                found = None
                for one in self.before[block]:
                    if one in above:
                        found = one if found is None else common(above, place, one, found)
                if above.get(block) != found:
                    above[block], changed = found, True
        loops = {}
        for block in order:
            for head in self.after[block]:
                if dominates(above, head, block):
                    blocks, left = loops.setdefault(head, {head}), [block]
                    while left:
                        one = left.pop()
                        if one not in blocks:
                            blocks.add(one)
                            left += [other for other in self.before[one] if other in above]
        return loops

    def instructions(self, blocks):
        return [i for block in sorted(blocks) for i in self.body[slice(*self.blocks[block])]]

    def inner(self, head):
        """First blocks of the loops inside of a loop, but for those that wait."""
        return [one for one, blocks in self.loops.items() if one != head and blocks < self.loops[head] and not self.waits(one)]

    def waits(self, head):
        """Whether a loop does nothing but wait: for parted lanes, or for a barrier's phase."""
        body = self.instructions(self.loops[head])
        return len(body) <= 12 and any(i.kind in ("YIELD", "SYNCS") for i in body)

    def turn(self, head, worth, often=lambda head: 1):
        """One turn of a loop as [(instruction, whether it jumps)]: at each branch the way whose instructions are worth most, and
        of equal ones straight on. Loops inside are gone through as often as `often` says of their first block; 0: where
        there is another way."""
        blocks = self.loops[head]
        place = {block: at for at, block in enumerate(one for one in self.order() if one in blocks)}
        best = {}
        for block in sorted(blocks, key=place.get, reverse=True):
            own = sum(worth(i) for i in self.body[slice(*self.blocks[block])])
            own -= NEVER * any(one != head and block in self.loops[one] and often(one) == 0 for one in self.loops)
            ways = []
            for number, one in enumerate(self.after[block]):
                if one == head:
                    ways.append((0, -number, one))
                elif one in blocks and place[one] > place[block] and one in best:
                    ways.append((best[one][0], -number, one))
            if ways:
                most = max(ways)
                best[block] = own + most[0], most[2]
        path, block = [], head
        while True:
            if block not in best:
                raise ValueError("no way through the loop comes back to its start")
            first, last = self.blocks[block]
            following = best[block][1]
            if block != head and block in self.loops:
                path += self.turn(block, worth) * (often(block) - 1)
            path += [(i, False) for i in self.body[first:last - 1]]
            jumps = bool(targets(self.body[last - 1])) and not parts(self.body[last - 1]) and (
                last == len(self.body) or following != self.block_of[last])
            path.append((self.body[last - 1], jumps))
            if following == head:
                return path
            block = following


def is_jump(instruction):
    """A call of a label of the kernel's own never returns: the compiler leaves some loops so."""
    return instruction.kind in ("BRA", "JMP", "CALL") and instruction.target is not None


def targets(instruction):
    """Where a branch goes to when it is taken: to one place, or to one of a table."""
    return (instruction.target,) if is_jump(instruction) else instruction.targets


def parts(instruction):
    """A branch that is taken where a warp's lanes have parted, which they have not here."""
    return ".DIV" in instruction.opcode or ".CONV" in instruction.opcode


def ends(instruction):
    return bool(ENDS.match(instruction.opcode))


def common(above, place, one, other):
    while one != other:
        while place[one] > place[other]:
            one = above[one]
        while place[other] > place[one]:
            other = above[other]
    return one


def dominates(above, head, block):
    while block != head and above.get(block, block) != block:
        block = above[block]
    return block == head
