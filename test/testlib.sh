# testlib.sh: how test/run finds, runs and counts tests. Sourced by it; the phases are functions, one for each kind of test.
#
# Every test program prints TAP. What pg_regress of PostgreSQL 15 prints is turned into TAP. test/tapcount (TAP::Parser) reads the output together
# with the exit status, so a program that dies before its plan, or whose numbers do not add up, is a failure.
# shellcheck shell=bash

# -------------------------------------------------------------------------------------------------
# Phases and results: lines of files, because two lanes write them at the same time
# -------------------------------------------------------------------------------------------------

# The first phases come before there is a place for files.
PHASES=''

phase_begin() {
	PHASE=$1 PHASE_START=$(now_ms)
	say "== $1"
}

phase_end() {
	local line
	line=$(printf '%10s  %s' "$(since "$PHASE_START")" "$PHASE")
	if [ -n "${LOGS:-}" ]; then echo "$line" >>"$LOGS/phases"; else PHASES+=$line$'\n'; fi
}

phase_write() { printf '%s' "$PHASES" >"$1"; }

# Every test there is, as phase/name.
every_test() {
	local major f
	major=$(debian_pg_major)
	(
		cd "$FLOE_ROOT" || exit
		shopt -s nullglob
		for f in test/lint/checks/*; do echo "lint/${f##*/}"; done
		for f in test/unit/test_*.c; do f=${f##*/} && echo "unit/${f%.c}"; done
		for f in test/fuzz/fuzz_*.c; do f=${f##*/fuzz_} && echo "fuzz/${f%.c}"; done
		for major in "$major" "${OTHER_MAJORS[@]}"; do
			echo "pg$major/build"
			for f in sql/*.sql; do echo "pg$major/regress" && break; done
			for f in test/isolation/specs/*.spec; do echo "pg$major/isolation" && break; done
		done
		for f in test/t/*.pl; do echo "tap/${f##*/}"; done
		for f in test/pgtap/*.sql; do echo "pgtap/${f##*/}"; done
		for f in test/e2e/test_*.py test/e2e/*.pl; do echo "e2e/${f##*/}"; done
	) | awk '!seen[$0]++'
}

# wanted PHASE: is a test of it asked for?
wanted() { every_test | grep "^$1/" | grep -qE -- "$ONLY"; }
matches() { [[ $1 =~ $ONLY ]]; }

# one_test PHASE/NAME COMMAND...: runs it, keeps its output, counts its TAP. A command without a plan in its output counts as one test.
one_test() {
	local name=$1 log status=0 t0
	shift
	log=$LOGS/${name//\//-}.log
	t0=$(now_ms)
	( "$@" ) >"$log" 2>&1 </dev/null || status=$?
	count "$name" "$log" "$status" "$(since "$t0")"
}

# count PHASE/NAME LOG STATUS SECONDS
count() {
	local name=$1 log=$2 status=$3 seconds=$4 passed failed skipped word=ok
	read -r passed failed skipped < <(perl "$FLOE_ROOT/test/tapcount" "$name" "$status" "$log" "$LOGS/failures")
	[ "$failed" = 0 ] || word=FAILED
	{
		flock 9
		printf '%-7s %-44s %4d passed%s%s  %6s s\n' "$word" "$name" "$passed" "$([ "$failed" = 0 ] || printf ', %d failed' "$failed")" \
			"$([ "$skipped" = 0 ] || printf ', %d skipped' "$skipped")" "$seconds"
		printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$passed" "$failed" "$skipped" "$seconds" >>"$LOGS/results.tsv"
		[ "$failed" = 0 ] || told_of_failure "$log" | sed 's/^/    | /'
	} 9>>"$LOGS/.lock"
	[ "$failed" = 0 ]
}

# told_of_failure LOG: the tests that failed with what they say of it; of one that died, its last lines.
told_of_failure() {
	awk '/^[ ]*not ok/ { left = 12 } /^[ ]*ok / { left = 0 } left-- > 0' "$1" | head -n 30 | cut -c1-700
	if ! grep -qE '^[ ]*not ok' "$1" || ! grep -qE '^1\.\.' "$1"; then tail -n 15 "$1" | cut -c1-200; fi
}

# missing PHASE/NAME REASON: something a test needs is not there. That is a failure: nothing is left out in silence.
missing() {
	echo "not ok 1 - $2" >"$LOGS/${1//\//-}.log"
	echo "1..1" >>"$LOGS/${1//\//-}.log"
	count "$1" "$LOGS/${1//\//-}.log" 1 0.0 || true
}

summary() {
	local passed failed skipped
	read -r passed failed skipped < <(awk -F '\t' '{ p += $2; f += $3; s += $4 } END { print p + 0, f + 0, s + 0 }' "$LOGS/results.tsv")
	{
		echo
		printf '%10s  %s\n' seconds "phase (two lanes run at the same time)"
		cat "$LOGS/phases"
		if [ -s "$LOGS/failures" ]; then
			echo
			echo "Failures (full output: build/check/PHASE-NAME.log):"
			cat "$LOGS/failures"
		fi
		echo
		if [ "$skipped" = 0 ]; then echo "$passed passed, $failed failed"; else echo "$passed passed, $failed failed, $skipped skipped"; fi
	} | tee "$LOGS/summary"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

# -------------------------------------------------------------------------------------------------
# Processes
# -------------------------------------------------------------------------------------------------

# The processes of a directory of ours: those whose working directory or program lies there, or that were started with FLOE_WORK for it.
pids_under() {
	local dir=$1 p
	for p in /proc/[0-9]*; do
		if [[ "$(readlink "$p/cwd")/" == "$dir/"* || "$(readlink "$p/exe")" == "$dir/"* ]] || grep -qzxF "FLOE_WORK=$dir" "$p/environ"; then
			[ "${p#/proc/}" = $$ ] || echo "${p#/proc/}"
		fi
	done 2>/dev/null
}

# kill_under DIRECTORY SIGNAL...: with each signal in turn, as long as there are any.
kill_under() {
	local dir=$1 signal pids port
	shift
	for signal; do
		mapfile -t pids < <(pids_under "$dir")
		[ ${#pids[@]} -gt 0 ] || break
		kill -s "$signal" "${pids[@]}" 2>/dev/null || true
		[ "$signal" = KILL ] || sleep 1
	done
	for port in "$dir"/lab*/port; do
		[ ! -s "$port" ] || seaweedfs_sockets "$(cat "$port")" | xargs -r rm -f
	done
}

# -------------------------------------------------------------------------------------------------
# PostgreSQL: a private copy of each installation, so that floe is installed without root and nothing of the machine's is touched
# -------------------------------------------------------------------------------------------------

# Debian's and the wheels' servers find their files relative to the program, so a copy of the tree is an installation.
install_postgres() {
	local major=$1 dir=$WORK/pg$1 prefix
	[ ! -e "$dir" ] || return 0
	if [ "$major" = "$(debian_pg_major)" ]; then
		mkdir -p "$dir/usr/lib/postgresql" "$dir/usr/share/postgresql"
		cp -a "/usr/lib/postgresql/$major" "$dir/usr/lib/postgresql/"
		cp -aL "/usr/share/postgresql/$major" "$dir/usr/share/postgresql/" 2>/dev/null || true
		ln -s /usr/include "$dir/usr/include"
		for prefix in /usr/lib/*-linux-gnu; do ln -s "$prefix" "$dir/usr/lib/"; done
		ln -s "usr/lib/postgresql/$major/bin" "$dir/bin"
	else
		cp -a "$(component_dir "pg$major")/." "$dir/"
		ln -s prefix/bin "$dir/bin"
	fi
}

pg_bin() { readlink -f "$WORK/pg$1/bin"; }
pgxs_dir() { dirname "$(dirname "$("$(pg_bin "$1")/pg_config" --pgxs)")"; }

build_floe() {
	local tree=$1 config
	config=$(pg_bin "$2")/pg_config
	cd "$tree" || return
	"$config" --version
	make -j2 PG_CONFIG="$config" && make install PG_CONFIG="$config"
}

# A port nobody listens on, above the lab's and below the ephemeral ones.
free_port() {
	local p
	while :; do
		p=$((20000 + RANDOM % 9000))
		if port_free "$p"; then
			echo "$p"
			return
		fi
	done
}

# -------------------------------------------------------------------------------------------------
# The kinds of tests
# -------------------------------------------------------------------------------------------------

run_lint() {
	local check name env=()
	wanted lint || return 0
	phase_begin lint
	if is_fetched python; then env=(env FLOE_CLANG_FORMAT="$(component_dir python)/bin/clang-format"); fi
	for check in test/lint/checks/*; do
		name=lint/${check##*/}
		if matches "$name"; then one_test "$name" "${env[@]}" bash "$check" || true; fi
	done
	phase_end
}

# run_programs PHASE BUILD-COMMAND SOURCES PROGRAM-FORMAT [PREFIX OF THE SOURCES' NAMES]: unit tests and fuzz corpora
run_programs() {
	local phase=$1 build=$2 sources=$3 format=$4 prefix=${5:-} source name program
	wanted "$phase" || return 0
	phase_begin "$phase"
	# shellcheck disable=SC2086
	if one_test "$phase/build" $build -j2 PG_CONFIG="$(pg_bin "$(debian_pg_major)")/pg_config"; then
		for source in $sources; do
			name=${source##*/}
			name=${name%.c}
			name=${name#"$prefix"}
			# shellcheck disable=SC2059
			program=$(printf "$format" "$name")
			if matches "$phase/$name"; then one_test "$phase/$name" timeout -k 10 "$FLOE_TEST_TIMEOUT" "$program" || true; fi
		done
	fi
	phase_end
}

# pg_regress over sql/*.sql in the order of their names, in a server of its own; test/regress.conf is its configuration.
run_regress() {
	local major=$1 tree=$2 files
	files=$(cd "$tree" && find sql -maxdepth 1 -name '*.sql' 2>/dev/null | sed 's|.*/||; s|\.sql$||' | LC_ALL=C sort) || true
	[ -n "$files" ] && matches "pg$major/regress" || return 0
	# shellcheck disable=SC2086
	one_test "pg$major/regress" regress "$major" "$tree" regress/pg_regress "$tree" $files || true
}

run_isolation() {
	local major=$1 tree=$2 files
	files=$(cd "$tree" && find test/isolation/specs -name '*.spec' 2>/dev/null | sed 's|.*/||; s|\.spec$||' | LC_ALL=C sort) || true
	[ -n "$files" ] && matches "pg$major/isolation" || return 0
	# shellcheck disable=SC2086
	one_test "pg$major/isolation" regress "$major" "$tree" isolation/pg_isolation_regress "$tree/test/isolation" $files || true
}

regress() {
	local major=$1 tree=$2 program=$3 input=$4 bin dir=$WORK/regress$1 out config=() status=0
	shift 4
	bin=$(pg_bin "$major")
	out=$dir/${program##*/}
	mkdir -p "$out"
	cd "$tree" || return
	[ ! -e test/regress.conf ] || config=(--temp-config=test/regress.conf)
	"$(pgxs_dir "$major")/test/$program" --bindir="$bin" --inputdir="$input" --outputdir="$out" --temp-instance="$out/instance" \
		"${config[@]}" --port="$(free_port)" --dbname=contrib_regression \
		"$@" >"$out/said" 2>&1 || status=$?
	# PostgreSQL 15: "test name ... ok   12 ms"; since 16 it is TAP.
	awk -v n=0 '/^test .* \.\.\. / { n++; print (($5 == "ok" || $4 == "ok") ? "ok " : "not ok ") n " - " $2; next }
		/^(ok|not ok|1\.\.)/ { tap = 1 } { print (tap || /^#/ ? "" : "# ") $0 } END { if (n) print "1.." n }' "$out/said" | sed 's/^# \(1\.\.\|ok\|not ok\)/\1/'
	[ ! -s "$out/regression.diffs" ] || sed 's/^/# /' "$out/regression.diffs"
	return "$status"
}

# PostgreSQL::Test::Cluster programs.
run_tap() {
	local file name major=$1 bin
	wanted tap || return 0
	phase_begin tap
	bin=$(pg_bin "$major")
	for file in test/t/*.pl; do
		name=${file##*/}
		matches "tap/$name" || continue
		mkdir -p "$WORK/tap/$name"
		one_test "tap/$name" env TESTDIR="$WORK/tap/$name" TESTDATADIR="$WORK/tap/$name/data" TESTLOGDIR="$WORK/tap/$name/log" PATH="$bin:$PATH" \
			PG_REGRESS="$(pgxs_dir "$major")/test/regress/pg_regress" PGPORT="$(free_port)" top_builddir="$WORK/tap/$name" \
			FLOE_BINDIR="$bin" timeout -k 10 "$FLOE_TEST_TIMEOUT" perl -I "$(pgxs_dir "$major")/test/perl" -I test/t "$file" || true
	done
	phase_end
}

# pgTAP files, each in a new database that has both extensions; test/regress.conf configures the server.
run_pgtap() {
	local file name major=$1 bin data=$WORK/pgtap port
	wanted pgtap || return 0
	phase_begin pgtap
	bin=$(pg_bin "$major")
	port=$(free_port)
	if one_test pgtap/server pgtap_server "$bin" "$data" "$port"; then
		for file in test/pgtap/*.sql; do
			name=${file##*/}
			if matches "pgtap/$name"; then one_test "pgtap/$name" pgtap_file "$bin" "$data" "$port" "$file" || true; fi
		done
		"$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true
	fi
	phase_end
}

pgtap_server() {
	local bin=$1 data=$2 port=$3
	"$bin/initdb" -D "$data" -U postgres -A trust --no-sync -E UTF8 --locale=C >/dev/null || return
	[ ! -e test/regress.conf ] || cat test/regress.conf >>"$data/postgresql.conf"
	printf "port = %s\nlisten_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n" "$port" "$data" >>"$data/postgresql.conf"
	"$bin/pg_ctl" -D "$data" -w -t 60 -l "$data/log" start </dev/null >/dev/null 2>&1 || { cat "$data/log"; return 1; }
}

pgtap_file() {
	local bin=$1 data=$2 port=$3 file=$4 db
	db=$(basename "$file" .sql)
	export PGHOST=$data PGPORT=$port PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
	"$bin/psql" -XqAtv ON_ERROR_STOP=1 -d postgres -c "CREATE DATABASE \"$db\"" || return
	"$bin/psql" -XqAtv ON_ERROR_STOP=1 -d "$db" -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION floe' || return
	timeout -k 10 "$FLOE_TEST_TIMEOUT" "$bin/psql" -XqAtv ON_ERROR_STOP=1 -d "$db" -f "$file"
}

# e2e_begin [LANE]: the real components are started once for all tests of a lane; each that does not start is a failure of its own. What a test stops,
# kills or fills is its own lane's.
e2e_begin() {
	local component lane=${1:-}
	export FLOE_RUN=$WORK/lab$lane
	phase_begin "lab$lane"
	for component in seaweedfs iceberg-rest versitygw spark; do
		one_test "e2e/start-$component$lane" "$LAB/lab" start "$component" || true
	done
	touch "$WORK/lab$lane-is-up"
	phase_end
}

e2e_end() { "$LAB/lab" stop seaweedfs iceberg-rest versitygw spark || true; }

# What measures times says "# test/run: alone": nothing else runs beside it.
is_alone() { grep -q '^# test/run: alone' "$1"; }

# run_e2e MAJOR PHASE [alone]: the tests that nobody has taken yet; those that are to be alone only when nothing else runs.
run_e2e() {
	local file name runner major=$1 alone=${3:-}
	phase_begin "$2"
	for file in test/e2e/test_*.py test/e2e/*.pl; do
		[ -e "$file" ] || continue
		name=${file##*/}
		matches "e2e/$name" || continue
		[ -n "$alone" ] || ! is_alone "$file" || continue
		mkdir "$WORK/taken-$name" 2>/dev/null || continue
		case $name in *.py) runner=$(lab_python) ;; *) runner=perl ;; esac
		mkdir -p "$WORK/e2e/$name"
		one_test "e2e/$name" e2e_file "$(pg_bin "$major")" "$WORK/e2e/$name" "$runner" "$file" || true
	done
	phase_end
}

# Whether a second lab pays: a good many tests are left for it.
e2e_left() {
	local file n=0
	for file in test/e2e/test_*.py test/e2e/*.pl; do
		if [ -e "$file" ] && matches "e2e/${file##*/}" && ! is_alone "$file" && [ ! -e "$WORK/taken-${file##*/}" ]; then n=$((n + 1)); fi
	done
	[ "$n" -ge 6 ]
}

e2e_file() {
	eval "$("$LAB/lab" env)"
	FLOE_BINDIR=$1 FLOE_TEST_DIR=$2 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
		timeout -k 20 "$FLOE_TEST_TIMEOUT" "$3" "$4"
}
