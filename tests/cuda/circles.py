"""That a call goes down through the files of the CUDA backend: no file calls, by way of others, one that calls it.

  circles.py FOLDER    fails and names the files of each circle, and what they call of one another
"""

import os
import re
import sys

DEFINED = re.compile(r"^(?:(static) |(?!static\b))[a-z_][\w *]*?\b\*?(\w+)\([^;{]*\)\s*\{", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def calls(sources):
    """{file: {other file: names of its functions that the file mentions}} of {file: text}."""
    sources = {file: COMMENT.sub("", text) for file, text in sources.items()}
    defined = {name: file for file, text in sources.items() for static, name in DEFINED.findall(text) if not static}
    made = {}
    for file, text in sources.items():
        made[file] = {}
        own = {name for _, name in DEFINED.findall(text)}
        for name in sorted(set(re.findall(r"\w+", text)) & set(defined) - own):
            made[file].setdefault(defined[name], []).append(name)
    return made


def circles(graph):
    """Files that are above and below themselves: what is left when those are taken away that call none that is left, and those that
    none calls that is left."""
    left = set(graph)
    while True:
        called = {other for file in left for other in graph[file]}
        ends = {file for file in left if file not in called or left.isdisjoint(graph[file])}
        if not ends:
            return left
        left -= ends


def control():
    """A planted circle of three is found, with one file above it and one below; without its last call there is none."""
    sources = {"top.c": "int top(void) {\n  return a();\n}\n", "a.c": "int a(void) {\n  return b();\n}\n",
               "b.c": "int *b(int x,\n       int y) {\n  return c() + low();\n}\n", "c.c": "int c(void) {\n  return a();\n}\n",
               "low.c": "/* a() */\nstatic int a(void) {\n  return 1;\n}\nint low(void) {\n  return a();\n}\n"}
    found = circles(calls(sources))
    sources["c.c"] = "int c(void) {\n  return 1;\n}\n"
    without = circles(calls(sources))
    if found != {"a.c", "b.c", "c.c"} or without:
        print(f"control: found {sorted(found)} (needed a.c, b.c, c.c), and {sorted(without)} without the call (needed none)")
    return found == {"a.c", "b.c", "c.c"} and not without


def main():
    sources = {}
    for name in sorted(os.listdir(sys.argv[1])):
        if name.endswith(".c"):
            with open(os.path.join(sys.argv[1], name), encoding="utf-8") as file:
                sources[name] = file.read()
    graph = calls(sources)
    named = sum(map(len, graph.values()))
    if not control() or named < len(sources):
        print(f"circles: {len(sources)} files, {named} pairs that call one another (needed at least as many)")
        return 1
    found = circles(graph)
    for file in sorted(found):
        for other in sorted(found & set(graph[file])):
            print(f"{file} calls {', '.join(graph[file][other])} of {other}, which comes back to it")
    return 1 if found else 0


sys.exit(main())
