"""What tests/gpu.sh reads out of the programs' files, with nothing but Python's own library.

Each command prints one line of figures per case; it exits with 1, and the line says why, where they are not what they must be."""
import array
import csv
import ctypes
import json
import math
import os
import re
import sys


class Wrong(Exception):
    """A figure is not what it must be, or is not there."""


def device():
    """The first CUDA device by the driver's own word: name, memory, the CUDA that the driver knows."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise Wrong("libcuda.so.1, which comes with NVIDIA's driver, does not load")
    count, ordinal, version, memory, name = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
    for call in (lambda: cuda.cuInit(0), lambda: cuda.cuDeviceGetCount(ctypes.byref(count))):
        status = call()
        if status:
            raise Wrong(f"the driver gives the error {status}")
    if count.value == 0:
        raise Wrong("the driver shows no device")
    cuda.cuDeviceGet(ctypes.byref(ordinal), 0)
    cuda.cuDeviceGetName(name, 256, ordinal)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), ordinal)
    cuda.cuDriverGetVersion(ctypes.byref(version))
    more = f", the first of {count.value}" if count.value > 1 else ""
    yield f"{name.value.decode()}{more}, {memory.value / 1e9:.1f} GB, driver for CUDA {version.value // 1000}.{version.value % 1000 // 10}"


def doctor(findings):
    """What --format json says of libtorch; wrong where a libtorch was named and does not load."""
    found = {item["subject"]: item for item in load(findings)["findings"]}
    for subject in ("libtorch", "backend torch"):
        if subject in found and found[subject]["state"] != "ok":
            raise Wrong(f"{found[subject]['found']}; {found[subject]['remedy'] or ''}".rstrip("; "))
    yield f"{found['libtorch']['found']}; {found['backend torch']['found']}"


def ids(responses, reference):
    """The output ids of a run's only response against those of a reference."""
    with open(responses) as lines:
        actual = json.loads(next(lines))["output_ids"]
    expected = load(reference)["output_ids"]
    for place, (a, e) in enumerate(zip(actual, expected)):
        if a != e:
            raise Wrong(f"id {place + 1} of {len(expected)} is {a}, not {e}")
    if len(actual) != len(expected):
        raise Wrong(f"{len(actual)} ids, not {len(expected)}")
    yield f"{len(actual)} of {len(expected)} ids are the reference's"


def logits(actual, expected, bound):
    """The largest difference between two files of logits; below the bound."""
    a, e, shape = pair(actual, expected)
    yield below(f"largest difference of {shape} logits", max(abs(x - y) for x, y in zip(a, e)), float(bound))


def rounding(actual, expected, bits, config):
    """|actual - expected| / |expected| over all logits together. A rounding is off by at most 2^-(bits+1) of the value; a layer
    rounds about a dozen times, and independent errors grow with the root of that."""
    a, e, shape = pair(actual, expected)
    distance = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, e)) / sum(y * y for y in e))
    bound = math.sqrt(12 * load(config)["num_hidden_layers"]) * 2.0 ** -int(bits)
    yield below(f"relative distance of {shape} logits", distance, bound)


def speed(rows):
    """The cases of torch-bench."""
    for row in cases(rows).values():
        yield (f"{title(row)}: {float(row['tokens_per_s']):,.1f} tokens/s, {figure(row, 'limit_ratio'):.3f} of the device's measured "
               f"{'matrix' if row['case'] == 'prefill' else 'memory'} rate, host {figure(row, 'host_seconds') / figure(row, 'seconds'):.0%} of the time")


def eager(rows, theirs):
    """The cases of torch-bench beside those of eager.py."""
    ours = cases(rows)
    for key, row in cases(theirs).items():
        rate, other = figure(ours[key], "tokens_per_s"), figure(row, "tokens_per_s")
        yield f"{title(row)}: transformers {other:,.1f} tokens/s, harness {rate:,.1f}, {rate / other:.2f} times as many"


def energy(summary, watts):
    """A run's joules; watts is a constant power that they must come to, or nvidia-smi's readings meanwhile, or empty."""
    with open(summary) as file:
        row = next(csv.DictReader(file))
    if row["status"] != "complete":
        raise Wrong(f"the run is {row['status']}")
    if not row["total_energy_j"]:
        raise Wrong(f"no joules: {row['invalid_reasons']}")
    joules, seconds = figure(row, "total_energy_j"), figure(row, "duration_s")
    text = f"{joules:,.1f} J in {seconds:.2f} s = {joules / seconds:.2f} W, {figure(row, 'energy_per_output_token_j'):.3g} J/token"
    text += f", idle {float(row['idle_power_w']):.1f} W" if row["idle_power_w"] else ""
    text += f", counter ÷ power {float(row['counter_vs_power_ratio']):.3f}" if row["counter_vs_power_ratio"] else ""
    text += ", valid" if row["valid"] == "true" else f", not valid: {row['invalid_reasons']}"
    if os.path.exists(watts):
        with open(watts) as file:
            readings = [float(line) for line in file if re.fullmatch(r"\s*[0-9.]+\s*", line)]
        text += f"; nvidia-smi meanwhile {min(readings):.0f} to {max(readings):.0f} W" if readings else ""
        if readings and not 0.9 * min(readings) < joules / seconds < 1.1 * max(readings):
            raise Wrong(text)
    elif watts and abs(joules / seconds / float(watts) - 1) > 1e-3:
        raise Wrong(f"{text}, but the meter says {watts} W all the time")
    yield text


def cases(path):
    """Rows by case and batch; wrong where one is missing."""
    with open(path) as file:
        rows = {(row["case"], row["batch"]): row for row in csv.DictReader(file)}
    missing = [f"{case} at batch {batch}" for case, batch in (("decode", "1"), ("decode", "8"), ("decode", "64"), ("prefill", "1")) if (case, batch) not in rows]
    if missing:
        raise Wrong(f"{path} has no {', no '.join(missing)}")
    for row in rows.values():
        figure(row, "tokens_per_s")
    return rows


def title(row):
    return f"{row['model']} {row['dtype']}, prefill of {row['context']}" if row["case"] == "prefill" else f"{row['model']} {row['dtype']}, decode at batch {row['batch']}"


def figure(row, column):
    """A positive number of a row."""
    value = float(row[column] or "nan")
    if not (0 < value < math.inf):
        raise Wrong(f"{column} is '{row[column]}'")
    return value


def below(what, value, bound):
    if value >= bound:
        raise Wrong(f"{what} is {value:.3g}, not below {bound:.3g}")
    return f"{what} {value:.3g}, below {bound:.3g}"


def pair(actual, expected):
    """Values of two files of one shape, all of them numbers."""
    (a, shape), (e, expected_shape) = read_npy(actual), read_npy(expected)
    if shape != expected_shape:
        raise Wrong(f"{actual} is {shape}, {expected} is {expected_shape}")
    # Counted, since max() passes over a NaN that is not its first value, and NaN is not above a bound.
    for path, values in ((actual, a), (expected, e)):
        strange = sum(not math.isfinite(value) for value in values)
        if strange:
            raise Wrong(f"{path}: {strange} of {len(values)} values are not finite")
    return a, e, shape


def read_npy(path):
    """Values of a float32 file of NumPy's format 1.0, and its shape in words."""
    with open(path, "rb") as file:
        data = file.read()
    start = 10 + int.from_bytes(data[8:10], "little")
    header = data[10:start].decode()
    shape = re.search(r"'shape': \((\d+), (\d+)\)", header)
    if data[:6] != b"\x93NUMPY" or "'<f4'" not in header or not shape:
        raise Wrong(f"{path} is no file of float32 logits")
    values = array.array("f", data[start:])
    if len(values) != int(shape[1]) * int(shape[2]) or not values:
        raise Wrong(f"{path} has {len(values)} values, not {shape[1]} × {shape[2]}")
    return values, f"{shape[1]} × {shape[2]}"


def load(path):
    with open(path) as file:
        return json.load(file)


if __name__ == "__main__":
    commands = {f.__name__: f for f in (device, doctor, ids, logits, rounding, speed, eager, energy)}
    try:
        for line in commands[sys.argv[1]](*sys.argv[2:]):
            print(line)
    except (Wrong, OSError, ValueError, KeyError, StopIteration) as problem:
        print(problem if isinstance(problem, (Wrong, OSError)) else f"{type(problem).__name__}: {problem}")
        sys.exit(1)
