"""Milliseconds per update: sampling, losses, clipping, Adam and targets, with the device waited for.

Prints one line of JSON: {task, impl, threads, device, ms_per_update}. The median of `--rounds` rounds of `--updates`
updates after a warm-up of one round (which also compiles). `--threads` bounds the CPUs as well, see README.md.

    python bench.py --task halfcheetah-6x1 --impl jax --threads 1
"""

import argparse
import json
import os
import statistics
import sys
import time

from tasks import IMPLEMENTATIONS, TASKS, columns, initial


def limit_threads(threads: int) -> None:
    """Before a framework is imported: as many CPUs as threads, so that no pool can be larger."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < threads:
        sys.exit(f"bench: {threads} threads asked for, {len(cpus)} CPUs allowed")
    os.sched_setaffinity(0, cpus[:threads])
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    os.environ["XLA_FLAGS"] = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), flags]))


def torch_rounds(args: argparse.Namespace):
    """Runs one round and waits for the device."""
    import torch

    import omiga_torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    task = TASKS[args.task]
    omiga = omiga_torch.Omiga(task, initial(task, args.seed), args.device, args.impl == "pytorch-compile")
    data = omiga_torch.on_device(columns(task, seed=args.seed), args.device)

    def one_round() -> None:
        omiga.run(data, args.updates)
        omiga_torch.synchronise(args.device)

    return one_round


def jax_rounds(args: argparse.Namespace):
    """Runs one round, one call of a compiled program, and waits for it."""
    import jax

    import omiga_jax

    omiga_jax.use(args.device)
    task = TASKS[args.task]
    carry, data = omiga_jax.start(task, initial(task, args.seed)), omiga_jax.on_device(columns(task, seed=args.seed))
    key = jax.random.key(args.seed)

    def one_round() -> None:
        nonlocal carry, key
        key, this = jax.random.split(key)
        carry, log = omiga_jax.run(carry, data, this, task, args.updates)
        jax.block_until_ready((carry, log))

    return one_round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--impl", choices=IMPLEMENTATIONS, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--updates", type=int, help="updates of a round; default: 100, of JAX on a GPU 1000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.updates is None:
        args.updates = 1000 if args.impl == "jax" and args.device.startswith("cuda") else 100
    if min(args.threads, args.updates, args.rounds) < 1:
        parser.error("--threads, --updates and --rounds are at least 1")
    limit_threads(args.threads)
    one_round = jax_rounds(args) if args.impl == "jax" else torch_rounds(args)
    one_round()
    times = []
    for _ in range(args.rounds):
        begin = time.perf_counter()
        one_round()
        times.append((time.perf_counter() - begin) / args.updates * 1e3)
    row = {"task": args.task, "impl": args.impl, "threads": args.threads, "device": args.device}
    print(json.dumps(row | {"ms_per_update": round(statistics.median(times), 4)}), flush=True)


if __name__ == "__main__":
    main()
