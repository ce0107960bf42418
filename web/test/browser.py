#!/usr/bin/env python3
"""Runs the package and the page in a headless Chromium, and compares bars with the native program.

    bash web/build.sh
    python3 web/test/browser.py --lacuna target/release/lacuna [--pictures FOLDER]

Chromium's SwiftShader takes the part of the GPU. The exit code is 0 when every check holds, 1 when one
fails, and 2 when the browser gives no answer. A check that the page asked no other address for anything
is among them: every request is seen here, and the browser can reach no other host.
"""

from __future__ import annotations

import argparse
import csv
import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SECONDS = 420

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


def numbers(path: Path) -> list[list[float]]:
    with path.open() as file:
        return [
            [float(x) for x in row]
            for row in csv.reader(file)
            if row and not row[0].startswith("#")
        ]


def case(folder: Path, lacuna: str) -> dict:
    """A golden case, with the bars that the native program finds."""
    about = json.loads((folder / "barcode.json").read_text())
    name, form = {
        "points": ("points.csv", "points"),
        "distances": ("lower.csv", "lower-distance"),
    }.get(about["input"], ("edges.csv", "sparse"))
    rows = numbers(folder / name)
    request = {"dim": about["maxdim"]}
    command = [
        lacuna,
        "barcode",
        str(folder / name),
        "--format",
        form,
        "--dim",
        str(about["maxdim"]),
        "--engine",
        "cpu",
        "--json",
    ]
    if about["input"] == "points":
        cloud = {"features": len(rows[0]), "numbers": [x for row in rows for x in row]}
        request["metric"] = about["metric"]
        command += ["--metric", about["metric"]]
    elif about["input"] == "distances":
        cloud = {"distances": True, "numbers": [x for row in rows for x in row]}
    else:
        cloud = {
            "points": about["n"],
            "ends": [int(x) for row in rows for x in row[:2]],
            "numbers": [row[2] for row in rows],
        }
    if about["threshold"] is not None:
        request["threshold"] = about["threshold"]
        command += ["--threshold", repr(about["threshold"])]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(told.stdout)["bars"]
    return {
        "name": about["name"],
        "cloud": cloud,
        "request": request,
        "bars": [found[str(d)] for d in range(about["maxdim"] + 1)],
    }


class Browser:
    """A server on this machine, and a Chromium that opens one of its pages."""

    def __init__(self, folder: Path, cases: bytes):
        self.answers: dict[str, dict] = {}
        self.told = threading.Condition()
        self.strange: list[str] = []
        self.folder = folder
        browser = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            extensions_map = {
                **http.server.SimpleHTTPRequestHandler.extensions_map,
                ".js": "text/javascript",
                ".wasm": "application/wasm",
            }

            def do_GET(self):
                if "/down" in browser.answers:
                    super().send_error(503)
                elif self.path == "/late":
                    time.sleep(15)
                    self.send_response(204)
                    self.end_headers()
                elif self.path == "/cases.json":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(cases)
                else:
                    super().do_GET()

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                with browser.told:
                    browser.answers[self.path] = body
                    browser.told.notify_all()

            def log_message(self, *_):
                pass

            def send_error(self, code, *rest):
                if code == 404 and not self.path.endswith("favicon.ico"):
                    browser.strange.append(f"{self.path} is asked for, and is not there")
                super().send_error(code, *rest)

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        )
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def command(self, path: str, profile: str, *more: str) -> list[str]:
        chromium = os.environ.get("CHROMIUM", "chromium")
        return [chromium, *FLAGS, f"--user-data-dir={profile}", *more, f"{self.address}/{path}"]

    def answer(self, path: str, to: str) -> dict | None:
        """Opens a page, and waits for what it posts."""
        profile = tempfile.mkdtemp()
        run = subprocess.Popen(
            self.command(path, profile),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            with self.told:
                self.told.wait_for(lambda: to in self.answers, SECONDS)
            return self.answers.get(to)
        finally:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            shutil.rmtree(profile, ignore_errors=True)

    def picture(self, file: Path, width: int, height: int, script: str = "") -> None:
        """A picture of the page after a while: what it waits for is an image that comes late."""
        page = (self.folder / "page/index.html").read_text()
        late = f'<img src="/late" alt="" style="display: none"><script>{script}</script></body>'
        (self.folder / "page/picture.html").write_text(page.replace("</body>", late))
        profile = tempfile.mkdtemp()
        command = self.command(
            "page/picture.html", profile, f"--window-size={width},{height}", f"--screenshot={file}"
        )
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=180, check=False
        )
        shutil.rmtree(profile, ignore_errors=True)


TRAIN = "setTimeout(() => { for (const id of ['tab-train', 'learn']) document.getElementById(id).click() }, 1000)"
TORUS = "setTimeout(() => { const s = document.getElementById('bundled'); s.value = 3; s.dispatchEvent(new Event('change')) }, 1000)"


def speed(site: Path, lacuna: str) -> int:
    """Seconds of the engines in the browser, best of several, beside those of the native program."""
    answer = Browser(site, b"[]").answer("speed.html", "/answer")
    if answer is None:
        print("browser.py: no answer", file=sys.stderr)
        return 2
    for row in answer["rows"]:
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.writelines(",".join(map(repr, point)) + "\n" for point in row.pop("cloud"))
            file.flush()
            command = [lacuna, "barcode", file.name, "--json", "--engine", row["engine"]]
            command += ["--threads", "1"] if row["engine"] == "cpu" else []
            runs = [
                json.loads(
                    subprocess.run(command, capture_output=True, text=True, check=True).stdout
                )
                for _ in range(5)
            ]
        row["native"] = min(run["seconds"]["total"] for run in runs)
        row["ratio"] = row["seconds"] / row["native"]
        print(
            {
                key: round(value, 4) if isinstance(value, float) else value
                for key, value in row.items()
            }
        )
    print(f"first paint after {answer['paint']:.0f} ms")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--lacuna", default=str(ROOT / "target/release/lacuna"), help="the native program"
    )
    parser.add_argument(
        "--dist", type=Path, default=ROOT / "web/dist", help="what web/build.sh has made"
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        help="write pictures of the page at two widths into this folder, and test nothing",
    )
    parser.add_argument(
        "--speed",
        action="store_true",
        help="time both engines in the browser and natively, and test nothing",
    )
    given = parser.parse_args()
    site = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(given.dist, site, dirs_exist_ok=True)
        for name in ("test.html", "test.js", "speed.html"):
            shutil.copy(HERE / name, site)
        shutil.copy(HERE / "page-test.html", site / "page")
        if given.speed:
            return speed(site, given.lacuna)
        folders = sorted(folder for folder in (ROOT / "assets/oracle").iterdir() if folder.is_dir())
        cases = [] if given.pictures else [case(folder, given.lacuna) for folder in folders]
        browser = Browser(site, json.dumps(cases).encode())
        failed = []
        pages = (("test.html", "/answer"), ("page/page-test.html", "/page"))
        for path, to in () if given.pictures else pages:
            answer = browser.answer(path, to)
            if answer is None:
                print(f"browser.py: {path} gave no answer in {SECONDS} seconds", file=sys.stderr)
                return 2
            for line in answer["passed"]:
                print(f"ok: {line}")
            failed += answer["failed"]
        failed += browser.strange
        for line in failed:
            print(f"FAILED: {line}")
        if given.pictures:
            given.pictures.mkdir(parents=True, exist_ok=True)
            for name, script in (("page", ""), ("torus", TORUS), ("train", TRAIN)):
                for width, height in ((390, 2400), (1280, 1500)):
                    browser.picture(given.pictures / f"{name}-{width}.png", width, height, script)
        print(f"browser.py: {len(failed)} failed")
        return 1 if failed else 0
    finally:
        shutil.rmtree(site, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
