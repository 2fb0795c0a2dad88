#!/usr/bin/env python3
"""Polaris, Lakekeeper and Gravitino, as far as a client sees them, in front of the lab's real Iceberg REST server.

None of the three can be had from a package registry. So the tables, snapshots and commits are real, and what makes a product
of a catalog - paths, prefixes, tokens, headers, grants, errors, policies, vended credentials - is played, after recordings of the real
Lakekeeper and after the sources and documentation of the others. dialects/polaris.py, lakekeeper.py and gravitino.py say what rests on what.

    dialect.py --port 17618 --lake http://127.0.0.1:17605 --store http://127.0.0.1:17608 ... --state DIRECTORY

One process for all three, which differ by their paths: /api/catalog (Polaris), /catalog (Lakekeeper), /iceberg (Gravitino). And one path that
no product has, for tests: GET /lab/NAME shows the users, grants and policies of a product, PUT replaces them, PATCH changes them (RFC 7396).
"""
from __future__ import annotations

import argparse
import gzip
import http.server
import os
import sys
import traceback

from dialects import gravitino, lakekeeper, polaris
from dialects.core import Answer, Issuer, Request, State
from dialects.lake import Lake
from dialects.rest import Product
from dialects.vending import Vending


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    products: dict[str, Product] = {}

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        try:
            answer = self.find(request)
        except Exception:  # noqa: BLE001: a fault of the dialect must not look like one of its words
            traceback.print_exc()
            answer = Answer(500, b"the dialect failed; see its log", content_type="text/plain")
        self.reply(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def find(self, request: Request) -> Answer:
        if request.path.startswith("/lab/"):
            return self.lab(request)
        for product in self.products.values():
            if request.path == product.base or request.path.startswith((product.base + "/", product.management + "/")):
                return product.serve(request)
        return Answer(200, {"products": list(self.products)}) if request.path == "/lab" else Answer(404)

    def lab(self, request: Request) -> Answer:
        product = self.products.get(request.path.removeprefix("/lab/"))
        if product is None:
            return Answer(404)
        if request.method == "PUT":
            product.state.replace(request.json())
        elif request.method == "PATCH":
            product.state.merge(request.json())
        return Answer(200, product.state.value)

    def reply(self, answer: Answer) -> None:
        body = answer.body
        if len(body) >= 32 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            answer.headers["content-encoding"] = "gzip"
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if answer.status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(body)

    def log_message(self, form: str, *args: object) -> None:
        sys.stderr.write(f"{self.log_date_time_string()} {form % args} {self.headers.get('User-Agent', '')[:40] if hasattr(self, 'headers') else ''}\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("port", "lake", "store", "store-region", "issuer", "state"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    os.makedirs(args.state, exist_ok=True)
    url = f"http://127.0.0.1:{args.port}"
    # the store's keys come by the environment, not by the command line
    vending = Vending(args.store, os.environ["STORE_KEY"], os.environ["STORE_SECRET"], args.store_region)
    lake, issuer = Lake(args.lake), Issuer(args.issuer)

    def state(name: str, first: dict[str, object]) -> State:
        return State(os.path.join(args.state, f"{name}.json"), first)

    Handler.products = {
        "polaris": polaris.Polaris(lake, state("polaris", polaris.FIRST_STATE), url, vending),
        "lakekeeper": lakekeeper.Lakekeeper(lake, state("lakekeeper", lakekeeper.FIRST_STATE), url, vending, issuer),
        "gravitino": gravitino.Gravitino(lake, state("gravitino", gravitino.FIRST_STATE), url, vending, issuer),
    }
    Server(("127.0.0.1", int(args.port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
