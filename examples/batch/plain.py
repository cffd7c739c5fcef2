"""The same without Ray, in processes of this machine: what translate.py is compared with.

python plain.py MODEL SOURCE OUTPUT --workers 2"""

import argparse
import multiprocessing
import os
import time

import cuseq
import parts

worker_model = None


def begin(model):
    global worker_model
    # Ray's workers have a session each, for which Linux gives a busy machine's processors out, and give way to others.
    os.setsid()
    os.nice(15)
    worker_model = cuseq.load(model)


def work(part):
    begun = time.time()
    return (*parts.do(worker_model, part, device="cpu", threads=1), begun, time.time())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lines", type=int, default=parts.LINES)
    arguments = parser.parse_args()
    all_parts = parts.cut(arguments.source, arguments.output, arguments.lines)
    left = [part for part in all_parts if not parts.is_done(part)]
    os.makedirs(arguments.output, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.workers, begin, (arguments.model,)) as pool:
        rows = list(pool.imap_unordered(work, left))
    parts.join(all_parts, arguments.output)
    translated, refused = sum(row[0] for row in rows), sum(row[1] for row in rows)
    seconds = max(row[3] for row in rows) - min(row[2] for row in rows) if rows else 0
    print(f"{translated} lines translated, {refused} refused, {translated / max(seconds, 1e-9):.0f} lines/s")


if __name__ == "__main__":
    main()
