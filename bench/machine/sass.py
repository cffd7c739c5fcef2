"""Machine code as nvdisasm prints it, read into instructions.

An instruction is 16 bytes from sm_70 on. Bits 41 and up of its upper half are what the compiler tells the scheduler: for how many
cycles the warp issues nothing after it (4 bits), a bit for yielding, the scoreboard that its result sets when it comes (3 bits, 7:
none), that which its operands free when they have been read (3 bits), and the scoreboards that it waits for (6 bits).
"""

import re

FORMAT = "4"  # of what is kept: another number and nothing kept before is read

SECTION = re.compile(r"^\.text\.(\S+):")
LABEL = re.compile(r"^(\.L_\w+):")
FIRST = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;\s*/\* 0x([0-9a-f]{16}) \*/")
SECOND = re.compile(r"^\s+/\* 0x([0-9a-f]{16}) \*/")
PLACE = re.compile(r'^\s*//## File "([^"]*)", line (\d+)')
TARGET = re.compile(r"`\((\.L_\w+)\)")
TARGETS = re.compile(r'BRANCH_TARGETS ([^"]*)"')  # of a branch by a table


class Instruction:
    __slots__ = ("address", "text", "stall", "sets", "frees", "waits", "places", "target", "targets")

    def __init__(self, address, text, control, places, target=None, targets=()):
        self.address = address
        self.text = text
        self.stall = control & 15
        self.sets = control >> 5 & 7
        self.frees = control >> 8 & 7
        self.waits = control >> 11 & 63
        self.places = places  # [(file, line)], what it is made of, and where that was inlined
        self.target = target  # the index of the instruction that a branch goes to
        self.targets = tuple(targets)  # those that a branch by a table goes to

    @property
    def predicate(self):
        return self.text.split()[0] if self.text.startswith("@") else ""

    @property
    def opcode(self):
        words = self.text.split()
        return words[1] if words[0].startswith("@") else words[0]

    @property
    def kind(self):
        return self.opcode.split(".")[0]

    @property
    def operands(self):
        """The operands' texts."""
        words = self.text.split(None, 2 if self.text.startswith("@") else 1)
        return [word.strip() for word in words[-1].split(",")] if len(words) > (2 if self.predicate else 1) else []


def read(lines):
    """{mangled name: [Instruction]} of nvdisasm's text with -gi -c -hex -novliw."""
    kernels, body, labels, known = {}, None, {}, {}
    first, places, is_new = None, (), True
    for line in lines:
        if first and (match := SECOND.match(line)):
            body.append(Instruction(int(first[1], 16), first[2], int(match[1], 16) >> 41, known.setdefault(places, places)))
            first = None
        elif match := FIRST.match(line):
            first, is_new = match, True
        elif match := PLACE.match(line):
            place = match[1].rpartition("/kernels/")[2], int(match[2])
            places = (place,) if is_new else (*places, place)
            is_new = False
        elif match := LABEL.match(line):
            labels[match[1]] = len(body)
        elif match := SECTION.match(line):
            body, places, is_new = kernels.setdefault(match[1], []), (), True
    for body in kernels.values():
        for instruction in body:
            if match := TARGET.search(instruction.text):
                instruction.target = labels.get(match[1])
            if match := TARGETS.search(instruction.text):
                instruction.targets = tuple(labels[label] for label in match[1].split(",") if label in labels)
    return kernels


def kept(kernels):
    """What JSON can hold of kernels; loaded() makes them of it again."""
    places, found = [], {}
    rows = {}
    for name, body in kernels.items():
        rows[name] = []
        for i in body:
            if i.places not in found:
                found[i.places] = len(places)
                places.append(i.places)
            control = i.stall | i.sets << 5 | i.frees << 8 | i.waits << 11
            rows[name].append((i.address, i.text, control, found[i.places], i.target, i.targets))
    return {"places": places, "kernels": rows}


def loaded(said):
    places = [tuple((file, line) for file, line in one) for one in said["places"]]
    return {name: [Instruction(address, text, control, places[place], target, targets)
                   for address, text, control, place, target, targets in rows]
            for name, rows in said["kernels"].items()}
