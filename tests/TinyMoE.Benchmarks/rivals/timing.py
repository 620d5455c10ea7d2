"""How the rivals are timed."""
import json
import resource
import time


def measure(step, model, o):
    """Repeats step until it is warm, then times it, and prints one JSON object.

    It holds the median time, the peak memory, the parameters, the last loss.
    """
    import torch  # loaded by the caller, after it has said how many threads OpenBLAS has

    began, warm, seconds = time.perf_counter(), 0, []
    while warm < 3 or time.perf_counter() - began < o.warm_up_seconds:
        step()
        warm += 1
    for _ in range(o.steps):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "seconds": sorted(seconds)[len(seconds) // 2],
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": loss,
        "framework": "PyTorch " + torch.__version__,
    }))
