"""A server that acknowledges all rows at once: what the SDK costs is then the SDK's alone."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = b'{"accepted": 0}'


class Sink(BaseHTTPRequestHandler):
    """Reads a body and forgets it."""

    protocol_version = "HTTP/1.1"
    # Else the end of an answer waits 40 ms for the other side to acknowledge its beginning.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Acknowledge."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print(server.server_address[1], flush=True)
    server.serve_forever()
