# A double of Livy, which no registry has: this repository's own process (livy.py), its protocol as a real server was recorded to speak it.
# It proves: floe's side of that protocol, with each statement run by the lab's real Spark; not the product. Needs spark.
# shellcheck shell=bash

livy_start() {
	local java
	java=$(lab_java)
	FLOE_SPARK_URL=http://127.0.0.1:$PORT_SPARK/cliservice FLOE_SPARK_HOME=$(component_dir spark)/spark FLOE_SPARK_JAVA=$java \
		FLOE_SPARK_CONF=$FLOE_RUN/spark/conf/spark-defaults.conf spawn livy "$(lab_python)" -B -u "$LAB/livy.py" "$PORT_LIVY"
}

livy_ready() { http_ok "http://127.0.0.1:$PORT_LIVY/lab"; }

livy_env() { echo "FLOE_LIVY_URL=http://127.0.0.1:$PORT_LIVY"; }
