"""A web server of ten lines with a page that says how it is: /health, 200 and "0", or 503 and how ill it is."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ILL = Path("/tmp/gds-example-dsdl-ill")


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ill = ILL.read_text().strip() if ILL.exists() else "0"
        self.send_response(200 if ill == "0" else 503)
        self.end_headers()
        self.wfile.write(ill.encode() + b"\n")

    def log_message(self, format: str, *args: object) -> None:
        """One line for each request is too much."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
