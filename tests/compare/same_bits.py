#!/usr/bin/env python3
"""Trains every configuration with two builds of the command line and compares what they leave, bit for bit. See same-bits.sh."""

import argparse
import fnmatch
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from configurations import RESUMED, STEPS, all_configurations, write_text

HALF = STEPS // 2
FORMATS = {"F32": ("f", 4), "F64": ("d", 8), "I32": ("i", 4), "I64": ("q", 8), "U8": ("B", 1), "BF16": ("H", 2), "U16": ("H", 2)}
NOT_COMPARED = {"tokens_per_second", "peak_resident_bytes"}
FILES = ("last/model.safetensors", "last/optimizer.safetensors")


class Problem(Exception):
    """What makes a comparison impossible, in one line."""


def read_tensors(path):
    """Name -> (dtype, shape, bytes); metadata is left out."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + length])
    start = 8 + length
    return {name: (entry["dtype"], entry["shape"], content[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]])
            for name, entry in header.items() if name != "__metadata__"}


def value_text(dtype, raw):
    """One element as text: its value, and its bits."""
    bits = raw[::-1].hex()
    if dtype == "BF16":
        return f"{struct.unpack('<f', bytes(2) + raw)[0]!r} (0x{bits})"
    if dtype not in FORMATS:
        return f"0x{bits}"
    return f"{struct.unpack('<' + FORMATS[dtype][0], raw)[0]!r} (0x{bits})"


def compare_tensors(label, base, head):
    """The first difference of two files of tensors, or None."""
    left, right = read_tensors(base), read_tensors(head)
    for name, (dtype, shape, data) in left.items():
        if name not in right:
            return f"{label} tensor {name} is missing in HEAD"
        other_dtype, other_shape, other = right[name]
        if (dtype, shape) != (other_dtype, other_shape):
            return f"{label} tensor {name} is {dtype}{shape}, in HEAD {other_dtype}{other_shape}"
        if data != other:
            size = FORMATS.get(dtype, ("", 1))[1]
            differ = [i for i in range(0, len(data), size) if data[i:i + size] != other[i:i + size]]
            first = differ[0]
            return (f"{label} tensor {name}, first at element {first // size} ({len(differ)} of {len(data) // size} differ), "
                    f"{value_text(dtype, data[first:first + size])} vs {value_text(dtype, other[first:first + size])}")
    extra = [name for name in right if name not in left]
    return f"{label} tensor {extra[0]} is only in HEAD" if extra else None


def read_metrics(path):
    """(kind, step, layer, how often before) -> the line."""
    lines, seen = {}, {}
    with open(path, encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            key = (line.get("kind"), line.get("step"), line.get("layer"))
            seen[key] = seen.get(key, 0) + 1
            lines[key + (seen[key],)] = line
    return lines


def compare_values(place, base, head, ignored, notes):
    """The first difference of two values of JSON, or None; words that differ are notes."""
    if isinstance(base, dict) and isinstance(head, dict):
        notes += [f"{place} has a new key {key}" for key in head if key not in base]
        for key, value in base.items():
            if key in ignored:
                continue
            if key not in head:
                return f"{place}.{key} is missing in HEAD"
            found = compare_values(f"{place}.{key}", value, head[key], ignored, notes)
            if found:
                return found
        return None
    if isinstance(base, list) and isinstance(head, list):
        if len(base) != len(head):
            return f"{place} has {len(base)} values, in HEAD {len(head)}"
        return next(filter(None, (compare_values(f"{place}[{i}]", a, b, ignored, notes) for i, (a, b) in enumerate(zip(base, head)))), None)
    if isinstance(base, str) and isinstance(head, str) and "NaN" not in (base, head) and not {base, head} & {"Infinity", "-Infinity"}:
        if base != head:
            notes.append(f"{place} says '{head}', not '{base}'")
        return None
    same = base == head and isinstance(base, bool) == isinstance(head, bool)
    return None if same else f"{place}: {base!r} vs {head!r}"


def compare_metrics(base, head, ignored, notes, memory=True):
    """The first difference of two metrics files, or None."""
    left, right = read_metrics(base), read_metrics(head)
    for key, line in left.items():
        kind, step, layer, _ = key
        place = f"metrics {kind} of step {step}" + ("" if layer is None else f", layer {layer}")
        if kind == "memory" and not memory:
            continue
        if kind == "note":
            if line.get("text") not in [other.get("text") for other in right.values() if other.get("kind") == "note"]:
                notes.append(f"the note '{line.get('text')}' is gone or has other words")
            continue
        if key not in right:
            return f"{place} is missing in HEAD"
        found = compare_values(place, line, right[key], ignored, notes)
        if found:
            return found
    notes += [f"a new line in the metrics: {kind} of step {step}" for kind, step, layer, count in right
              if (kind, step, layer, count) not in left and kind != "note" and (memory or kind != "memory")]
    return None


def compare_runs(base, head, ignored, notes, memory=True):
    """The first difference of two run folders, or None."""
    for file in FILES:
        found = compare_tensors(os.path.basename(file).split(".")[0], os.path.join(base, file), os.path.join(head, file))
        if found:
            return found
    return compare_metrics(os.path.join(base, "metrics.jsonl"), os.path.join(head, "metrics.jsonl"), ignored, notes, memory)


class Build:
    """A built command line (None: only its results), and the folder where it works: texts in text, a run in the folder of its name."""

    def __init__(self, name, folder, place):
        self.name, self.place = name, place
        self.program = os.path.join(folder or "", "tinymoe.dll")
        if folder is not None and not os.path.isfile(self.program):
            raise Problem(f"{folder} holds no tinymoe.dll")
        if folder is not None:
            os.makedirs(place, exist_ok=True)
            write_text(os.path.join(place, "text"))

    def run(self, *arguments):
        """Runs a command; None, or how it failed."""
        done = subprocess.run(["dotnet", self.program, *arguments, "--threads", "2", "--json"], cwd=self.place, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return None if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr.strip()}"

    def train(self, name, configuration, *more):
        """Trains a configuration from the start."""
        preset, keys, data = configuration
        return self.run("train", "--preset", preset, "--data", *data, "--steps", str(STEPS), "--out", name, *more, "--set", *keys)

    def resume(self, name):
        """Goes on with a run to its last step."""
        return self.run("train", "--resume", "--out", name)

    def path(self, name):
        """The folder of a run."""
        return os.path.join(self.place, name)

    def drop(self, *names):
        """Removes runs."""
        for name in names:
            shutil.rmtree(self.path(name), ignore_errors=True)


def make_base(build, name, configuration):
    """BASE's run of a configuration and, where it is resumed, the one that stops half way; the best checkpoints go."""
    runs = [(name, ())] + ([(f"{name}.half", ("--stop-at", str(HALF)))] if name in RESUMED else [])
    for run, more in runs:
        failure = build.train(run, configuration, *more)
        if failure:
            raise Problem(f"BASE cannot train {name}: {failure}")
        shutil.rmtree(os.path.join(build.path(run), "best"), ignore_errors=True)


def check_head(base, head, name, configuration, ignored):
    """Yields (name, difference or None, notes) of a configuration and of its resumed runs."""
    notes = []
    failure = head.train(name, configuration)
    yield name, f"HEAD fails, {failure}" if failure else compare_runs(base.path(name), head.path(name), ignored, notes), notes
    if failure or name not in RESUMED:
        return
    for label, source in (("resumed", None), ("resumed from BASE's checkpoint", base.path(f"{name}.half"))):
        run, notes = f"{name}.half", []
        head.drop(run)
        if source:
            shutil.copytree(source, head.path(run))
        else:
            failure = head.train(run, configuration, "--stop-at", str(HALF))
        failure = failure or head.resume(run)
        difference = f"HEAD fails, {failure}" if failure else compare_runs(base.path(name), head.path(run), ignored, notes, memory=False)
        yield f"{name}, {label}", difference, notes


def describe(configurations):
    """What saved results have to agree in: the arguments and the text."""
    with tempfile.TemporaryDirectory() as folder:
        write_text(folder)
        text = hashlib.sha256()
        for root, folders, files in os.walk(folder):
            folders.sort()
            for file in sorted(files):
                with open(os.path.join(root, file), "rb") as content:
                    text.update(content.read())
    return {"text": text.hexdigest(), "steps": STEPS, "configurations": {name: list(value) for name, value in configurations.items()}}


def check_saved(folder, described):
    """Refuses saved results of another text or other arguments."""
    path = os.path.join(folder, "saved.json")
    if not os.path.isfile(path):
        raise Problem(f"{folder} holds no saved results; make them with --save")
    with open(path, encoding="utf-8") as file:
        saved = json.load(file)
    if (saved["text"], saved["steps"]) != (described["text"], described["steps"]):
        raise Problem(f"{folder} was saved with another text or number of steps; save it anew")
    for name, configuration in described["configurations"].items():
        if saved["configurations"].get(name) != configuration:
            raise Problem(f"{folder} was saved without {name}, or with other arguments for it; save it anew")


def main():
    """Exit code 0: the same; 1: something differs; 2: it could not be compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-build", metavar="DIR")
    parser.add_argument("--head-build", metavar="DIR")
    parser.add_argument("--save", metavar="DIR")
    parser.add_argument("--against", metavar="DIR")
    parser.add_argument("--work", metavar="DIR", required=True)
    parser.add_argument("--only", metavar="PATTERN", default="*")
    parser.add_argument("--ignore", metavar="KEY", action="append", default=[])
    options = parser.parse_args()
    configurations = {name: value for name, value in all_configurations().items() if fnmatch.fnmatch(name, options.only)}
    if not configurations:
        raise Problem(f"no configuration is called {options.only}")
    described = describe(configurations)
    if options.save:
        save(options, configurations, described)
        return 0

    if options.against:
        check_saved(options.against, described)
    base = Build("BASE", None if options.against else options.base_build, options.against or os.path.join(options.work, "base"))
    head = Build("HEAD", options.head_build, os.path.join(options.work, "head"))
    ignored, same, different = NOT_COMPARED | set(options.ignore), 0, 0
    for name, configuration in configurations.items():
        if not options.against:
            make_base(base, name, configuration)
        for label, difference, notes in check_head(base, head, name, configuration, ignored):
            for note in dict.fromkeys(notes):
                print(f"note {label}: {note}")
            print(f"DIFFERENT {label}: {difference}" if difference else f"same  {label}", flush=True)
            same, different = same + (not difference), different + bool(difference)
        head.drop(name, f"{name}.half")
        if not options.against:
            base.drop(name, f"{name}.half")
    print(f"{same} same, {different} different")
    return 1 if different else 0


def save(options, configurations, described):
    """Keeps BASE's results."""
    if os.path.exists(options.save):
        raise Problem(f"{options.save} is there already; name another folder")
    base = Build("BASE", options.base_build, options.save)
    for name, configuration in configurations.items():
        make_base(base, name, configuration)
        print(f"saved {name}", flush=True)
    with open(os.path.join(options.save, "saved.json"), "w", encoding="utf-8") as file:
        json.dump(described, file, indent=1)
    print(f"{len(configurations)} saved")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Problem, OSError) as problem:
        print(f"same-bits: {problem}", file=sys.stderr)
        sys.exit(2)
