"""How the rivals are timed."""
import ctypes
import json
import re
import resource
import time


def kernels(torch):
    """The vectors of PyTorch's own loops, and the kernel of the OpenBLAS that is loaded."""
    vectors = re.search(r"CPU capability usage: (.*)", torch.__config__.show())
    try:
        name = ctypes.CDLL("libopenblas.so.0").openblas_get_corename
        name.restype = ctypes.c_char_p
        blas = "OpenBLAS kernel " + name().decode()
    except (OSError, AttributeError):
        blas = "another BLAS"
    return (vectors.group(1) if vectors else "unknown vectors") + ", " + blas


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
        "kernels": kernels(torch),
    }))
