"""The generated parts of a page: what lies between `<!-- bench charts: NAME -->` and `<!-- end -->`."""

import re

PART = re.compile(r"(<!-- bench charts: ([a-z0-9-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
MARK = re.compile(r"<!-- bench charts: ")


class Bad(Exception):
    """A page whose marks are not as they should be."""


def fill(text, parts, name):
    """The page with every part as `parts` (name -> text, which ends with a newline) has it."""
    met = []

    def replaced(match):
        begin, part, _, end = match.groups()
        if part not in parts:
            raise Bad(f"{name}: there is no part {part} (needed one of {', '.join(sorted(parts))})")
        met.append(part)
        return f"{begin}\n{parts[part]}\n{end}"

    filled = PART.sub(replaced, text)
    if len(met) != len(MARK.findall(text)):
        raise Bad(f"{name}: a part without <!-- end -->")
    return filled
