/**
 * The program that proves a GPU: it allocates, copies and multiplies on every device it can see, checks a result, and prints one JSON line
 * per GPU. Python with PyTorch, so that it also runs by hand: save the text, `python3 FILE`.
 *
 * Lines, figures in GB/s (10^9) and TFLOPS:
 * `{"gpu": 0, "uuid": "GPU-…", "name": "…", "memory_GiB": 79.2, "copy_GBps": 3016.2, "bf16_TFLOPS": 777.9, "h2d_GBps": 53.2, "d2h_GBps": 53.4, "right": true}`
 * `{"peer": [0, 1], "GBps": 394.4}` and `{"error": {"code": 802, "message": "…"}}`.
 * Exit 0 when every GPU gave a right result, 3 after an error, 4 after a wrong result.
 * @module
 */
export const ACCEPTANCE_PROGRAM = String.raw`
import json, re, sys

def say(**line):
    print(json.dumps(line), flush=True)

def fail(error):
    text = str(error).strip().splitlines()
    code = re.search(r"[Ee]rror (\d+):", str(error))
    if code is None and "system not yet initialized" in str(error):
        number = 802
    else:
        number = int(code.group(1)) if code else 0
    say(error={"code": number, "message": (text[0] if text else type(error).__name__)[:300]})
    sys.exit(3)

try:
    import torch
    torch.cuda.init()
    count = torch.cuda.device_count()
    if count == 0:
        raise RuntimeError("no CUDA device is visible")
except Exception as error:
    fail(error)

def best_seconds(device, work, rounds):
    work()
    torch.cuda.synchronize(device)
    times = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize(device)
        times.append(start.elapsed_time(end) / 1000)
    return min(times)

def measure(index):
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    properties = torch.cuda.get_device_properties(device)
    size = 4 * 1024**3
    source = torch.full((size,), 1, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = 2 * size / best_seconds(device, lambda: target.copy_(source), 20)
    right = bool((target == 1).all())
    del source, target

    n, repeats = 8192, 50
    a = torch.randn(n, n, dtype=torch.bfloat16, device=device)
    b = torch.randn(n, n, dtype=torch.bfloat16, device=device)
    c = torch.empty(n, n, dtype=torch.bfloat16, device=device)
    def multiply():
        for _ in range(repeats):
            torch.matmul(a, b, out=c)
    flops = 2 * n**3 * repeats / best_seconds(device, multiply, 3)
    expected = a[:64].double() @ b[:, :64].double()
    worst = ((c[:64, :64].double() - expected).abs() / expected.abs().clamp(min=float(n) ** 0.5)).max()
    right = right and float(worst) < 0.02
    del a, b, c

    size = 1024**3
    host = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    card = torch.empty(size, dtype=torch.uint8, device=device)
    to_card = size / best_seconds(device, lambda: card.copy_(host, non_blocking=True), 5)
    to_host = size / best_seconds(device, lambda: host.copy_(card, non_blocking=True), 5)
    torch.cuda.empty_cache()
    uuid = str(properties.uuid)
    say(gpu=index, uuid=uuid if uuid.startswith("GPU-") else "GPU-" + uuid, name=properties.name,
        memory_GiB=round(properties.total_memory / 1024**3, 1), copy_GBps=round(copy / 1e9, 1),
        bf16_TFLOPS=round(flops / 1e12, 1), h2d_GBps=round(to_card / 1e9, 1), d2h_GBps=round(to_host / 1e9, 1),
        right=right)
    return right

def measure_peer(first, second):
    size = 1024**3
    here = torch.empty(size, dtype=torch.uint8, device=f"cuda:{first}")
    there = torch.empty(size, dtype=torch.uint8, device=f"cuda:{second}")
    torch.cuda.set_device(first)
    def work():
        there.copy_(here, non_blocking=True)
        torch.cuda.synchronize(second)
    say(peer=[first, second], GBps=round(size / best_seconds(torch.device("cuda", first), work, 5) / 1e9, 1))

try:
    results = [measure(index) for index in range(count)]
    for second in range(1, count):
        measure_peer(0, second)
except Exception as error:
    fail(error)
sys.exit(0 if all(results) else 4)
`;
