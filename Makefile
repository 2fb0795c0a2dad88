# floe: PostgreSQL extension that keeps Apache Iceberg tables healthy.
#
#   make, make install, make installcheck   PGXS, as everybody expects (PG_CONFIG=… chooses the server)
#   make demo, make demo-stop               the main job on real tables, from a bare Debian machine
#   make check                              installs what it needs and runs every test
#   make check-long                         the runs that take too long for that: 10 minutes alone, an hour's soak, fuzzing
#   make unit, make lint                    the quick parts of it, for a machine that is set up
#   make bench                              what floe costs (N=2000 for a quick one)
#   make bench-polls                        what a look at unchanged tables costs each real catalog
#   make bench-engines                      operations a minute on a real Spark, against a spark-submit for each
#
# What each test needs and where it lives: docs/testing.md; the benchmark: docs/performance.md.

# These start on a machine without PostgreSQL, and PGXS has a "check" of its own that only says no.
ifneq ($(filter check check-long demo demo-stop bench bench-polls bench-engines,$(MAKECMDGOALS)),)

.PHONY: check
check:
	@test/run $(if $(ONLY),--only '$(ONLY)')

.PHONY: check-long
check-long:
	@test/run-long

.PHONY: demo demo-stop
demo:
	@demo/demo start
demo-stop:
	@demo/demo stop

include bench/bench.mk

else

EXTENSION    = floe
MODULE_big   = floe
PG_CONFIG   ?= pg_config
DATA         = floe--1.0.sql
PGFILEDESC   = "floe - control plane for Apache Iceberg table maintenance"

# LC_ALL=C sort: the order must not depend on make's version or the locale.
SRCS        := $(shell find src -name '*.c' | LC_ALL=C sort)
SQL_SRCS    := $(shell ls src/sql/*.sql 2>/dev/null | LC_ALL=C sort)
HDRS        := $(shell find src -name '*.h')
OBJS         = $(SRCS:.c=.o)

WARNINGS     = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
               -Wno-missing-field-initializers -Wno-declaration-after-statement
# libpq's header is the server's own, or the one of the package libpq-dev.
PG_CPPFLAGS  = -I$(CURDIR)/src -I$(shell $(PG_CONFIG) --includedir) $(shell pkg-config --cflags-only-I libpq 2>/dev/null) $(WARNINGS) $(SAN)
SHLIB_LINK   = -L$(shell $(PG_CONFIG) --libdir) -lpq -lcurl -ljansson -ldeflate -lz -lzstd -lsnappy $(SAN) -Wl,--version-script=$(CURDIR)/src/exports.map

EXTRA_CLEAN  = build tmp_check tmp_check_iso output_iso $(shell find src -name '*.bc')

PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Any header may matter to any object; the whole build takes seconds.
$(OBJS): $(HDRS)

# The install script is generated, committed, and compared by the lint test.
floe--1.0.sql: $(SQL_SRCS)
	cat $(SQL_SRCS) > $@

# -------------------------------------------------------------------------------------------------
# Unit tests: the parts that need no server, under AddressSanitizer and UBSan.
# -------------------------------------------------------------------------------------------------
include test/unit/unit.mk
include test/fuzz/fuzz.mk
include test/tools/tools.mk
include bench/bench.mk

.PHONY: lint
lint:
	@test/lint/run

endif
