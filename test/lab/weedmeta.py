"""Ages what is in the lab's SeaweedFS: it keeps times in its filer's entries, and tables and snapshots in the past cannot be made by its APIs.

Its catalog refuses a snapshot older than the table's last update, and the time of an object is the time of its upload. Both are fields of the
filer's entries, which `weed shell` saves to a file and loads again: fs.meta.save, change, fs.meta.load. The file is a row of FullEntry
messages (protobuf), each after its length in four bytes, big-endian:

    FullEntry { 1 dir: string, 2 entry: Entry }
    Entry { 1 name: string, 4 attributes: FuseAttributes, 5 extended: map<string, bytes>, 9 content: bytes }
    FuseAttributes { 1 file_size, 2 mtime: seconds, 3 file_mode, 6 crtime: seconds }
"""
from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Callable, Iterator


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of every field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, wire, value
        else:
            if wire == 2:
                size, at = _varint(data, at)
            else:
                size = {1: 8, 5: 4}[wire]
            yield key >> 3, wire, data[at:at + size]
            at += size


def _message(fields: list[tuple[int, int, int | bytes]]) -> bytes:
    out = bytearray()
    for number, wire, value in fields:
        out += _encode(number << 3 | wire)
        if isinstance(value, int):
            out += _encode(value)
        else:
            out += (_encode(len(value)) if wire == 2 else b"") + value
    return bytes(out)


class Filer:
    """The filer behind the lab's SeaweedFS. url is its HTTP address; its master listens one port below."""

    def __init__(self, weed: str, url: str):
        port = int(url.rsplit(":", 1)[1])
        self.url = url
        self.command = [weed, "shell", f"-master=127.0.0.1:{port - 1}", f"-filer=127.0.0.1:{port}"]

    def shell(self, command: str, until: Callable[[], bool] | None = None) -> str:
        """Runs one command. fs.meta.load of files works on after it has said that it is done and dies with the shell: hence until."""
        with subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as shell:
            assert shell.stdin
            shell.stdin.write(command + "\n")
            shell.stdin.flush()
            deadline = time.monotonic() + 30
            while until and not until() and shell.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            output = shell.communicate(timeout=60)[0]
        if until and not until():
            raise RuntimeError(f"weed shell: {command}: {output[-500:]}")
        return output

    def load(self, entries: list[tuple[str, bytes]], until: Callable[[], bool] | None = None) -> None:
        """Writes (directory, entry) pairs into the filer."""
        with tempfile.NamedTemporaryFile(suffix=".meta") as file:
            for directory, entry in entries:
                message = _message([(1, 2, directory.encode()), (2, 2, entry)])
                file.write(len(message).to_bytes(4, "big") + message)
            file.flush()
            self.shell(f"fs.meta.load {file.name}", until)

    def entries(self, path: str) -> Iterator[tuple[str, str, bytes]]:
        """(directory, name, entry) of everything below path."""
        with tempfile.TemporaryDirectory() as folder:
            saved = os.path.join(folder, "saved.meta")
            output = self.shell(f"fs.meta.save -o {saved} {path}")
            if not os.path.exists(saved):
                raise RuntimeError(f"fs.meta.save {path}: {output[-500:]}")
            with open(saved, "rb") as file:
                data = file.read()
        at = 0
        while at < len(data):
            size = int.from_bytes(data[at:at + 4], "big")
            full = {number: value for number, _, value in _fields(data[at + 4:at + 4 + size])}
            at += 4 + size
            name = next((value for number, _, value in _fields(full[2]) if number == 1), b"")
            yield full[1].decode(), name.decode(), full[2]

    def age_table(self, bucket: str, namespace: str, table: str, last_updated_ms: int) -> None:
        """Sets the last update of a table that has no snapshot yet, so that its catalog takes snapshots from then on."""
        directory = f"/buckets/{bucket}/{namespace}"
        for parent, name, entry in self.entries(directory):
            if parent == directory and name == table:
                # The catalog keeps the table's metadata as JSON in the entry. The number of digits stays, so all lengths do.
                aged = re.sub(rb'("last-updated-ms":)\d{13}', rb"\g<1>%d" % last_updated_ms, entry)
                self.load([(directory, aged)])
                return
        raise RuntimeError(f"no entry of table {namespace}.{table} in the filer")

    def plant(self, files: list[tuple[str, bytes]], mtime: int) -> None:
        """Makes objects (/buckets/<bucket>/<key>, content) whose content is in their entries and whose time is mtime."""
        entries = []
        for path, content in files:
            directory, name = path.rsplit("/", 1)
            attributes = _message([(1, 0, len(content)), (2, 0, mtime), (3, 0, 0o660), (6, 0, mtime)])
            entries.append((directory, _message([(1, 2, name.encode()), (4, 2, attributes), (9, 2, content)])))
        self.load(entries, lambda: all(self.exists(path) for path, _ in files))

    def exists(self, path: str) -> bool:
        request = urllib.request.Request(self.url + urllib.parse.quote(path), method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=5):
                return True
        except urllib.error.HTTPError:
            return False
