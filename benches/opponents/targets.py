"""What `omiga train` is to reach, and whether it did; without a package, so that any Python can ask."""

# Times of the opponent's milliseconds.
TARGETS = {"cpu": {"pytorch": 4.0, "jax": 1.3}, "cuda": {"pytorch": 10.0, "jax": 1.5}}
# Most that our own ReBRAC may take, times OMIGA's milliseconds.
REBRAC = 1.4


def target_of(impl: str, device: str) -> float | None:
    """How many times as fast as this opponent ours is to be; the compiled PyTorch has no target of its own."""
    return TARGETS[device.partition(":")[0]].get(impl)


def verdict(row: dict, ours_ms: float) -> str | None:
    """Does the target hold against this row? `None` without a target."""
    if row["impl"] == "rebrac":
        return "yes" if row["ms_per_update"] / ours_ms <= REBRAC else "no"
    target = target_of(row["impl"], row["device"])
    if target is None:
        return None
    if row["ms_per_update"] / ours_ms >= target:
        return "yes"
    floor = row["floor_ms"]
    within_reach = floor is None or row["ms_per_update"] / floor >= target
    return "no" if within_reach else f"no, the floor itself is {row['ms_per_update'] / floor:.2f}x"
