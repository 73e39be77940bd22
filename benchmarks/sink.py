"""A server that acknowledges all rows at once: what the SDK costs is then the SDK's alone."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = b'{"accepted": 0}'
# A classifier of twenty numbers, whose probability is wanted.
MODEL = {
    "schema": {
        "task": "binary",
        "features": [{"name": f"x{i}", "kind": "numeric"} for i in range(20)],
        "score": "p",
        "prediction": None,
        "label": "y",
    }
}


class Sink(BaseHTTPRequestHandler):
    """Reads a body and forgets it."""

    protocol_version = "HTTP/1.1"
    # Else the end of an answer waits 40 ms for the other side to acknowledge its beginning.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Acknowledge."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, ANSWER)

    def do_GET(self) -> None:
        """Say what the model is like."""
        self._answer(200, json.dumps(MODEL).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print(server.server_address[1], flush=True)
    server.serve_forever()
