"""Translates a folder of text files with Ray Data: any number of lines, on any number of machines.

    python translate.py MODEL SOURCE OUTPUT --workers 2
    python translate.py MODEL SOURCE OUTPUT --workers 8 --gpus 1       a GPU for each worker

SOURCE and OUTPUT are folders that all machines see. Each .txt file of SOURCE becomes one of the same name in
OUTPUT, with a line for each of its lines. What is refused - a text that is too long, say - gives an empty line,
and its place and the reason in OUTPUT/errors.txt. The job may be killed and started again: it goes on where it
was (parts.py)."""

import argparse
import os
import time

import parts
import ray


class Translator:
    """A worker: one model, whose one session its calls share."""

    def __init__(self, model, device, how):
        import cuseq

        self.model = cuseq.load(model)
        # Ray shows a worker its own GPUs alone, so that they count from 0 here.
        self.device = device or ("cuda:0" if ray.get_gpu_ids() else "cpu")
        self.how = how

    def __call__(self, batch):
        """A part: what came of it, and when it was begun and done."""
        part = {key: column[0].item() if hasattr(column[0], "item") else column[0] for key, column in batch.items()}
        begun = time.time()
        done = (0, 0) if parts.is_done(part) else parts.do(self.model, part, device=self.device, threads=1, **self.how)
        return {"translated": [done[0]], "refused": [done[1]], "begun": [begun], "ended": [time.time()]}


def run(arguments):
    """Translates what is left. Returns how many lines were translated and refused, and the seconds from the first
    line to the last."""
    all_parts = parts.cut(arguments.source, arguments.output, arguments.lines)
    left = [part for part in all_parts if not parts.is_done(part)]
    print(f"{len(all_parts)} parts, {len(all_parts) - len(left)} of them done already", flush=True)
    os.makedirs(arguments.output, exist_ok=True)
    rows = []
    if left:
        how = {"beam": arguments.beam, "truncate": arguments.truncate}
        made = ray.data.from_items(left, override_num_blocks=len(left)).map_batches(
            Translator,
            fn_constructor_args=(os.path.abspath(arguments.model), arguments.device, how),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=arguments.workers),
            num_cpus=0 if arguments.gpus else 1,
            num_gpus=arguments.gpus,
        )
        rows = list(made.iter_rows())
    parts.join(all_parts, arguments.output)
    seconds = max(row["ended"] for row in rows) - min(row["begun"] for row in rows) if rows else 0
    return sum(row["translated"] for row in rows), sum(row["refused"] for row in rows), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpus", type=float, default=0, help="for each worker; a fraction shares one")
    parser.add_argument("--device", help="cpu or cuda:N (default: the GPU that Ray gives, else cpu)")
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--truncate", action="store_true", help="cut texts that are too long")
    parser.add_argument("--lines", type=int, default=parts.LINES, help="in a part (default: %(default)s)")
    parser.add_argument("--address", help="of a Ray cluster (default: this machine)")
    arguments = parser.parse_args()
    arguments.source, arguments.output = map(os.path.abspath, (arguments.source, arguments.output))
    # Workers find parts.py, and a package that is not installed, as this process does.
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    ray.init(address=arguments.address, runtime_env={"env_vars": {"PYTHONPATH": path}}, include_dashboard=False)
    translated, refused, seconds = run(arguments)
    print(f"{translated} lines translated, {refused} refused, {translated / max(seconds, 1e-9):.0f} lines/s")


if __name__ == "__main__":
    main()
