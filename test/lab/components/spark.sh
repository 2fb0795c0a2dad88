# Spark 3.5 as a Thrift Server (HiveServer2 protocol) over HTTP and with Spark Connect in the same JVM, with the Iceberg runtime and its AWS bundle on the driver's class path.
# 318 MB (a PyPI source archive whose deps/ folder is a SPARK_HOME) and 48 + 64 MB from Maven.
# It proves: floe's five procedures on the engine that people use. Catalogs are defined by each session.
# Basic authentication is required, any user and non-empty password is taken. It listens on every address (no setting changes that).
# shellcheck shell=bash

spark_fetch() {
	local dir=$1
	"$(base_python)" -m venv "$dir/venv"
	"$dir/venv/bin/pip" --disable-pip-version-check download -q --no-deps --no-binary :all: -d "$dir" "pyspark==$SPARK_VERSION"
	tar -xzf "$dir/pyspark-$SPARK_VERSION.tar.gz" -C "$dir" --no-same-owner "pyspark-$SPARK_VERSION/deps"
	mv "$dir/pyspark-$SPARK_VERSION/deps" "$dir/spark"
	rm -rf "$dir/venv" "$dir/pyspark-$SPARK_VERSION" "$dir/pyspark-$SPARK_VERSION.tar.gz"
	maven_copy "$dir/iceberg" "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:$ICEBERG_VERSION" \
		"org.apache.iceberg:iceberg-aws-bundle:$ICEBERG_VERSION"
}

# Spark Connect's server for Spark 3.5, one jar of 30 MB. Of its own version: the registry has none of SPARK_VERSION.
spark_connect_fetch() {
	maven_copy "$1" "org.apache.spark:spark-connect_2.12:$SPARK_CONNECT_VERSION"
}

spark_start() {
	local dir home=$FLOE_RUN/spark
	dir=$(component_dir spark)
	mkdir -p "$home/conf" "$home/tmp"
	cat >"$home/conf/fairscheduler.xml" <<-'XML'
		<allocations>
		  <pool name="floe"><schedulingMode>FAIR</schedulingMode><weight>1</weight><minShare>0</minShare></pool>
		</allocations>
	XML
	cat >"$home/conf/spark-defaults.conf" <<-CONF
		spark.master                      local[2]
		spark.driver.memory               1g
		spark.driver.bindAddress          127.0.0.1
		spark.driver.extraClassPath       $dir/iceberg/iceberg-spark-runtime-3.5_2.12-$ICEBERG_VERSION.jar:$dir/iceberg/iceberg-aws-bundle-$ICEBERG_VERSION.jar:$(component_dir pgjdbc)/postgresql-$PGJDBC_VERSION.jar:$(component_dir spark-connect)/spark-connect_2.12-$SPARK_CONNECT_VERSION.jar
		spark.plugins                     org.apache.spark.sql.connect.SparkConnectPlugin
		spark.connect.grpc.binding.port   $PORT_SPARK_CONNECT
		spark.sql.extensions              org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions
		spark.sql.catalogImplementation   in-memory
		spark.sql.warehouse.dir           $home/warehouse
		spark.sql.session.timeZone        UTC
		spark.sql.shuffle.partitions      2
		spark.default.parallelism         2
		spark.scheduler.mode              FAIR
		spark.scheduler.allocation.file   file://$home/conf/fairscheduler.xml
		spark.local.dir                   $home/tmp
		spark.driver.extraJavaOptions     -Djava.io.tmpdir=$home/tmp -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC
		spark.sql.codegen.wholeStage      false
		spark.sql.codegen.factoryMode     NO_CODEGEN
		spark.ui.port                     $PORT_SPARK_UI
		spark.ui.retainedJobs             200
		spark.ui.retainedStages           200
		spark.sql.ui.retainedExecutions   200
	CONF
	(
		cd "$home" || exit
		JAVA_HOME=$(lab_java)
		export JAVA_HOME SPARK_HOME="$dir/spark" SPARK_CONF_DIR="$home/conf" SPARK_LOCAL_IP=127.0.0.1
		spawn spark "$SPARK_HOME/bin/spark-submit" \
			--class org.apache.spark.sql.hive.thriftserver.HiveThriftServer2 --name floe-lab spark-internal \
			--hiveconf hive.server2.transport.mode=http --hiveconf "hive.server2.thrift.http.port=$PORT_SPARK" \
			--hiveconf hive.server2.thrift.http.path=cliservice
	)
}

# 401 without credentials is the sign of life; it opens no session.
spark_ready() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 -X POST "http://127.0.0.1:$PORT_SPARK/cliservice")" = 401 ]
}

spark_env() {
	echo "FLOE_SPARK_URL=http://127.0.0.1:$PORT_SPARK/cliservice"
	echo "FLOE_SPARK_HOME=$(component_dir spark)/spark"
	echo "FLOE_SPARK_JAVA=$(lab_java)"
	echo "FLOE_SPARK_CONNECT_URL=http://127.0.0.1:$PORT_SPARK_CONNECT"
	echo "FLOE_SPARK_UI=http://127.0.0.1:$PORT_SPARK_UI"
}
