"""An HTTP server on this machine that keeps to the rules, except where it is told otherwise.

A behaviour is a function of the request's handler. Those in `Server.behaviours[path]` are used up
one after the other; then `good` answers.
"""

import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        self.server.headers.append(dict(self.headers))
        queue = self.server.behaviours.get(self.path, [])
        with suppress(BrokenPipeError, ConnectionResetError):  # the client has had enough
            (queue.pop(0) if queue else good)(self)

    @property
    def content(self):
        return self.server.files[self.path]

    def head(self, status, length=None, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.behaviours, self.etags = {}, {}, {}
        self.asked, self.headers = [], []
        self.closing = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def rest(handler):
    """Send the headers that are right; returns what is left to send."""
    content, asked = handler.content, handler.headers.get("Range")
    etag = handler.server.etags.get(handler.path)
    marks = {"ETag": etag} if etag else {}
    if asked and handler.headers.get("If-Range") in (None, etag):
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            handler.head(416, 0, Content_Range=f"bytes */{len(content)}")
            return b""
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206, len(content) - start, Content_Range=span, **marks)
        return content[start:]
    handler.head(200, len(content), **marks)
    return content


def good(handler):
    handler.wfile.write(rest(handler))


def breaks_off_after(count):
    return lambda handler: handler.wfile.write(rest(handler)[:count])


def hangs_after(count):
    def behave(handler):
        handler.wfile.write(rest(handler)[:count])
        handler.wfile.flush()
        handler.server.closing.wait(60)

    return behave


def answers(status, **headers):
    return lambda handler: handler.head(status, 0, **headers)


def says_length(length):
    def behave(handler):
        handler.head(200, length)
        handler.wfile.write(handler.content)

    return behave


def ignores_range(handler):
    handler.head(200, len(handler.content))
    handler.wfile.write(handler.content)


def says_no_length(handler):
    handler.head(200)
    handler.wfile.write(handler.content)


def sends_another_piece(handler):
    size = len(handler.content)
    handler.head(206, size - 1, Content_Range=f"bytes 1-{size - 1}/{size}")
    handler.wfile.write(handler.content[1:])


def drips(handler):
    for byte in rest(handler):
        if handler.server.closing.is_set():
            return
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.03)
