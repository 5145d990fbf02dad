"""Requests a second and latency of a server on loopback, with wrk (https://github.com/wg/wrk).

python benchmarks/serve.py [--index DIR] [--model M] [--clients 1 8 64] [--seconds 10] [--wrk wrk]

Starts ``panglot serve`` in a process of its own on a free port, and asks it questions over connections that
stay open, each client one question after the other. All questions differ, so that no two are encoded as
one. wrk takes little of the processor, but what it takes the server does not have. A server that shares the
machine with others gives other figures.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from panglot.data import sample_benchmark

PROGRAM = "import sys; from panglot.cli import main; sys.argv[0] = 'panglot'; main()"
SCRIPT = """
local questions = {%s}
local thread_number = 0
function setup(thread) thread:set("number", thread_number); thread_number = thread_number + 1 end
local count = 0
function request()
  count = count + 1
  local question = questions[count %% #questions + 1] .. " " .. number .. "-" .. count
  local body = '{"k": 10, "queries": ["' .. question .. '"]%s}'
  return wrk.format("POST", "/search", {["Content-Type"] = "application/json"}, body)
end
function done(summary, latency, requests)
  local e = summary.errors
  local form = "requests %%d microseconds %%d errors %%d p50 %%d p95 %%d p99 %%d"
  print("RESULT " .. string.format(form,
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", default="sample")
    parser.add_argument("--model", help="where the index's model lies, or one exported from it")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--hybrid", action="store_true", help="ask for hybrid lists")
    parser.add_argument("--wrk", default="wrk")
    arguments = parser.parse_args()
    if shutil.which(arguments.wrk) is None:
        sys.exit("wrk is not installed; on Debian: apt-get install wrk")
    command = [sys.executable, "-c", PROGRAM, "serve", "--json", "--port", "0", "--index", arguments.index]
    command += ["--model", arguments.model] if arguments.model else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            place = address(server)
            load(arguments.wrk, place, arguments.clients[0], 2, arguments.hybrid)  # warm
            runs = [
                load(arguments.wrk, place, n, arguments.seconds, arguments.hybrid) for n in arguments.clients
            ]
            print(json.dumps({"index": arguments.index, "model": arguments.model, "runs": runs}, indent=2))
        finally:
            server.terminate()


def address(server: "subprocess.Popen[str]") -> str:
    """Wait for what the server says when it is ready."""
    assert server.stdout is not None
    said = ""
    while "}" not in said:
        line = server.stdout.readline()
        if not line:
            sys.exit("the server did not start")
        said += line
    return str(json.loads(said)["address"])


def load(wrk: str, place: str, clients: int, seconds: int, hybrid: bool) -> dict[str, Any]:
    """Ask for some seconds; return requests a second, milliseconds at three percentiles, and errors."""
    questions = ", ".join(json.dumps(text, ensure_ascii=False) for text in sample_benchmark().queries.texts)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "ask.lua"
        script.write_text(SCRIPT % (questions, ', "hybrid": true' if hybrid else ""), encoding="utf-8")
        threads = min(clients, 2)
        command = [wrk, "-t", str(threads), "-c", str(clients), "-d", f"{seconds}s", "--timeout", "30s"]
        out = subprocess.run([*command, "-s", str(script), place], capture_output=True, text=True, check=True)
    (line,) = (line for line in out.stdout.splitlines() if line.startswith("RESULT "))
    words = line.split()[1:]
    found = {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    return {
        "clients": clients,
        "requests": found["requests"],
        "requests a second": round(found["requests"] / found["microseconds"] * 1e6, 1),
        "ms": {name: round(found[name] / 1000, 1) for name in ("p50", "p95", "p99")},
        "errors": found["errors"],
    }


if __name__ == "__main__":
    main()
