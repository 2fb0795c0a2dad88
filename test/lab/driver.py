"""A Spark of its own for one session of the double of Livy, as Livy starts one: what a session costs is then what it costs.

A Thrift Server with the configuration of the lab's Spark, on a port of its own, without a web page and Spark Connect. Needs FLOE_SPARK_HOME,
FLOE_SPARK_JAVA and FLOE_SPARK_CONF, the lab's spark-defaults.conf.
"""
from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE_S = 180


class DriverError(Exception):
    pass


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Driver:
    """Ready when it is made."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="driver-"))
        (self.folder / "conf").mkdir()
        text = Path(os.environ["FLOE_SPARK_CONF"]).read_text()
        text = re.sub(r"(?m)^\s*spark\.(plugins|connect|ui)\S*\s.*\n?", "", text)
        (self.folder / "conf" / "spark-defaults.conf").write_text(text + "\nspark.ui.enabled false\n")
        port, home = free_port(), os.environ["FLOE_SPARK_HOME"]
        self.url = f"http://127.0.0.1:{port}/cliservice"
        command = [home + "/bin/spark-submit", "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal",
                   "--hiveconf", "hive.server2.transport.mode=http", "--hiveconf", f"hive.server2.thrift.http.port={port}", "--hiveconf", "hive.server2.thrift.http.path=cliservice"]
        environment = {**os.environ, "SPARK_HOME": home, "JAVA_HOME": os.environ["FLOE_SPARK_JAVA"], "SPARK_CONF_DIR": str(self.folder / "conf"), "SPARK_LOCAL_IP": "127.0.0.1"}
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                last = (self.folder / "log").read_text(errors="replace")[-500:]
                self.end()
                raise DriverError(f"the driver did not start: {last}")
            time.sleep(0.2)

    def answers(self) -> bool:
        """401 without credentials is the sign of life; it opens no session."""
        try:
            urllib.request.urlopen(urllib.request.Request(self.url, method="POST"), timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            pass
        return False

    def end(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
