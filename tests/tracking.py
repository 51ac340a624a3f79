"""A tracking server as MLflow's client knows it, which can fall silent or die in the middle of a study."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

EXPERIMENT = {"experiment_id": "1", "name": "any", "lifecycle_stage": "active", "artifact_location": "file:///nowhere"}
RUN = {
    "info": {
        "run_id": "r",
        "run_uuid": "r",
        "experiment_id": "1",
        "status": "RUNNING",
        "start_time": 0,
        "artifact_uri": "file:///nowhere",
        "lifecycle_stage": "active",
    },
    "data": {},
}
ANSWERS = {
    "experiments/get-by-name": {"experiment": EXPERIMENT},
    "runs/search": {"runs": []},
    "runs/create": {"run": RUN},
    "runs/get": {"run": RUN},
    "runs/update": {"run_info": RUN["info"]},
}


class Tracking:
    """A server's address, what it was asked, and what becomes of it.

    Args:
        stays: is given all that was asked so far, the newest last: whether the server still answers that.
        dies: whether it then closes its port, rather than let everybody wait.
    """

    def __init__(self, stays: Callable[[list[str]], bool], *, dies: bool) -> None:
        self.asked: list[str] = []
        self.silent = threading.Event()  # it answers no more
        self._over = threading.Event()
        tracking = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tracking._answer(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._stays, self._dies = stays, dies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = urlsplit(request.path).path.partition("/mlflow/")[2]
        self.asked.append(path)
        if self.silent.is_set() or not self._stays(self.asked):
            self.silent.set()
            if self._dies:
                threading.Thread(target=self.close).start()
            else:
                self._over.wait()
            request.close_connection = True
            return
        content = json.dumps(ANSWERS.get(path, {})).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def tracking(stays: Callable[[list[str]], bool] = lambda _: True, *, dies: bool = False) -> Iterator[Tracking]:
    server = Tracking(stays, dies=dies)
    try:
        yield server
    finally:
        server.close()


def two_epochs(asked: list[str]) -> bool:
    """Tell whether no more than two epochs have been logged; a trial's parameters come before them, in one piece."""
    return asked.count("runs/log-batch") <= 3
