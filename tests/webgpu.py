"""Gives every shader to a browser's WebGPU, which has a compiler of its own (Tint) with stricter rules.

    cargo run --manifest-path tests/portability/Cargo.toml -- shaders.json
    python3 tests/webgpu.py shaders.json

It needs Chromium, whose SwiftShader compiles for the processor, so no GPU. The exit code is 0 when
the browser accepts every shader with every set of its constants, 1 when it refuses one, and 2 when
it gives no answer.
"""
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

SECONDS = 300
PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
const answer = { refused: [], accepted: 0 };
try {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("the browser has no WebGPU adapter");
  const requiredLimits = {};
  for (const name in adapter.limits) requiredLimits[name] = adapter.limits[name];
  const device = await adapter.requestDevice({ requiredLimits });
  for (const { name, source, constants } of await (await fetch("/shaders")).json()) {
    const module = device.createShaderModule({ code: source });
    for (const message of (await module.getCompilationInfo()).messages) {
      if (message.type === "error") answer.refused.push(`${name}, line ${message.lineNum}: ${message.message}`);
    }
    for (const set of constants) {
      const compute = { module, entryPoint: "main", constants: set };
      try {
        await device.createComputePipelineAsync({ layout: "auto", compute });
        answer.accepted += 1;
      } catch (why) {
        answer.refused.push(`${name} ${JSON.stringify(set)}: ${why.message}`);
      }
    }
  }
} catch (why) {
  answer.failed = String(why);
}
await fetch("/answer", { method: "POST", body: JSON.stringify(answer) });
</script>"""


def main():
    shaders = open(sys.argv[1], "rb").read()
    answers = []
    answered = threading.Event()

    class Pages(http.server.BaseHTTPRequestHandler):
        def send(self, kind, body):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path == "/shaders":
                self.send("application/json", shaders)
            else:
                self.send("text/html", PAGE.encode())

        def do_POST(self):
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send("text/plain", b"")
            answered.set()

        def log_message(self, *_):
            pass

    # A page from this machine counts as secure, and only secure pages have WebGPU.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = tempfile.mkdtemp()
    browser = subprocess.Popen(
        [
            os.environ.get("CHROMIUM", "chromium"),
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader",
            f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    answered.wait(SECONDS)
    os.killpg(browser.pid, signal.SIGKILL)
    browser.wait()
    shutil.rmtree(profile, ignore_errors=True)
    answer = answers[0] if answers else {"failed": f"no answer in {SECONDS} seconds"}
    for line in answer.get("refused", []):
        print(f"refused: {line}")
    if "failed" in answer or not answer["accepted"]:
        print(f"webgpu.py: {answer.get('failed', 'nothing was compiled')}", file=sys.stderr)
        return 2
    print(f"WebGPU accepts {answer['accepted']} shaders with their constants")
    return 1 if answer["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
