# Spark 4.0 with its Iceberg runtime: a Thrift Server over HTTP and Spark Connect in one JVM. 434 MB from PyPI, 48 + 64 MB from Maven.
# It proves: the same operations through both protocols of the newer Spark, which has Connect's client-chosen operations joined rather than refused.
# shellcheck shell=bash

spark4_fetch() {
	local dir=$1
	"$(base_python)" -m venv "$dir/venv"
	"$dir/venv/bin/pip" --disable-pip-version-check download -q --no-deps --no-binary :all: -d "$dir" "pyspark==$SPARK4_VERSION"
	tar -xzf "$dir/pyspark-$SPARK4_VERSION.tar.gz" -C "$dir" --no-same-owner "pyspark-$SPARK4_VERSION/deps"
	mv "$dir/pyspark-$SPARK4_VERSION/deps" "$dir/spark"
	rm -rf "$dir/venv" "$dir/pyspark-$SPARK4_VERSION" "$dir/pyspark-$SPARK4_VERSION.tar.gz"
	maven_copy "$dir/iceberg" "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:$ICEBERG_VERSION" \
		"org.apache.iceberg:iceberg-aws-bundle:$ICEBERG_VERSION"
}

# With another configuration to be run beside it, lines of which win: FLOE_SPARK4_CONF.
spark4_start() {
	local dir home=$FLOE_RUN/spark4
	dir=$(component_dir spark4)
	mkdir -p "$home/conf" "$home/tmp"
	cat >"$home/conf/spark-defaults.conf" <<-CONF
		spark.master                      local[2]
		spark.driver.memory               1g
		spark.driver.bindAddress          127.0.0.1
		spark.driver.extraClassPath       $dir/iceberg/iceberg-spark-runtime-4.0_2.13-$ICEBERG_VERSION.jar:$dir/iceberg/iceberg-aws-bundle-$ICEBERG_VERSION.jar
		spark.plugins                     org.apache.spark.sql.connect.SparkConnectPlugin
		spark.connect.grpc.binding.address 127.0.0.1
		spark.connect.grpc.binding.port   $PORT_SPARK4_CONNECT
		spark.sql.extensions              org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions
		spark.sql.catalogImplementation   in-memory
		spark.sql.warehouse.dir           $home/warehouse
		spark.sql.session.timeZone        UTC
		spark.sql.shuffle.partitions      2
		spark.default.parallelism         2
		spark.local.dir                   $home/tmp
		spark.driver.extraJavaOptions     -Djava.io.tmpdir=$home/tmp -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC
		spark.sql.codegen.wholeStage      false
		spark.sql.codegen.factoryMode     NO_CODEGEN
		spark.ui.port                     $PORT_SPARK4_UI
		spark.ui.retainedJobs             200
		spark.ui.retainedStages           200
		spark.sql.ui.retainedExecutions   200
		${FLOE_SPARK4_CONF:-}
	CONF
	(
		cd "$home" || exit
		JAVA_HOME=$(lab_java)
		export JAVA_HOME SPARK_HOME="$dir/spark" SPARK_CONF_DIR="$home/conf" SPARK_LOCAL_IP=127.0.0.1
		spawn spark4 "$SPARK_HOME/bin/spark-submit" \
			--class org.apache.spark.sql.hive.thriftserver.HiveThriftServer2 --name floe-lab-4 spark-internal \
			--hiveconf hive.server2.transport.mode=http --hiveconf "hive.server2.thrift.http.port=$PORT_SPARK4" \
			--hiveconf hive.server2.thrift.http.path=cliservice
	)
}

spark4_ready() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 -X POST "http://127.0.0.1:$PORT_SPARK4/cliservice")" = 401 ]
}

spark4_env() {
	echo "FLOE_SPARK4_URL=http://127.0.0.1:$PORT_SPARK4/cliservice"
	echo "FLOE_SPARK4_CONNECT_URL=http://127.0.0.1:$PORT_SPARK4_CONNECT"
	echo "FLOE_SPARK4_UI=http://127.0.0.1:$PORT_SPARK4_UI"
}
