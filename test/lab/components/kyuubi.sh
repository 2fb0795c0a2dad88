# A double of Kyuubi, which no registry has: this repository's own process (kyuubi.py), its protocol as a real server was recorded to speak it.
# It proves: floe's side of that protocol, with each statement run by the lab's real Spark; not the product. Needs spark.
# shellcheck shell=bash

kyuubi_start() {
	FLOE_SPARK_URL=http://127.0.0.1:$PORT_SPARK/cliservice spawn kyuubi "$(lab_python)" -B -u "$LAB/kyuubi.py" "$PORT_KYUUBI"
}

kyuubi_ready() { http_ok "http://127.0.0.1:$PORT_KYUUBI/lab"; }

kyuubi_env() { echo "FLOE_KYUUBI_URL=http://127.0.0.1:$PORT_KYUUBI"; }
