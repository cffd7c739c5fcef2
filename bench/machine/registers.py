"""Which registers an instruction reads and writes, by its text."""

import re

REGISTER = re.compile(r"\b(U?[RP])(\d+)(\.64)?")
PREDICATE = re.compile(r"^!?U?P(\d+|T)$")
WIDE = re.compile(r"\.(64|128|WIDE)\b")
NO_RESULT = re.compile(r"^(ST|STG|STS|STL|STAS|BRA|EXIT|BAR|MEMBAR|ERRBAR|CCTL|RED|RET|NOP|BSYNC|WARPSYNC|UCGABAR|DEPBAR|SYNCS|"
                       r"LDGSTS|LDGDEPBAR|YIELD|NANOSLEEP|BPT|CALL|JMP|KILL|ARRIVES|UBLK)")
SETS_PREDICATE = re.compile(r"^U?(ISETP|FSETP|PLOP3|FCHK|DSETP|HSETP2|R2P|VOTE)")
CARRIES = re.compile(r"^U?(IADD3|LEA|IMAD|VIADD|SHFL|LOP3|VOTE)")  # a register, and perhaps predicates beside it


def width(opcode):
    """Registers of a result."""
    found = WIDE.search(opcode)
    if opcode.startswith("CS2R") and ".32" not in opcode:
        return 2
    if opcode.startswith("HMMA"):
        return 4
    return {None: 1, "64": 2, "WIDE": 2, "128": 4}[found and found[1]]


def named(operand, count=1):
    """Registers of an operand's text."""
    for kind, number, is_pair in REGISTER.findall(operand):
        for k in range(2 if is_pair else count if kind in ("R", "UR") else 1):
            yield kind, int(number) + k


def used(i):
    """(read, written, predicates written) of an instruction: sets of (kind, number)."""
    operands, opcode = i.operands, i.opcode
    reads = set(named(i.predicate))
    writes, predicates = set(), set()
    results = 0
    if not NO_RESULT.match(opcode):
        while results < len(operands) and PREDICATE.match(operands[results]):
            results += 1
        if not SETS_PREDICATE.match(opcode) or opcode.startswith("VOTE"):
            results += 1
            while CARRIES.match(opcode) and results < len(operands) - 2 and PREDICATE.match(operands[results]) and (
                    not operands[results].startswith("!")):
                results += 1
    for operand in operands[:results]:
        if PREDICATE.match(operand):
            predicates.update(named(operand))
        else:
            writes.update(named(operand, width(opcode)))
    stored = width(opcode) if NO_RESULT.match(opcode) else 1
    for operand in operands[results:]:
        reads.update(named(operand, stored if not operand.startswith(("[", "desc")) else 1))
    if i.predicate and i.predicate != "@PT":  # what it leaves alone it keeps
        reads |= writes
    return reads, writes, predicates
