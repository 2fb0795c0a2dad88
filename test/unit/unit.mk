# Unit tests: each test/unit/test_*.c is a program that prints TAP. It is linked with the sources that
# need no server (UNIT_SRCS), PostgreSQL's frontend libraries (printf, HMAC, hash) and nothing else.

UNIT_SRCS  := $(shell ls src/base/*.c src/iceberg/*.c src/engine/*.c src/net/http_policy.c src/net/http_message.c src/net/allowlist.c \
                src/net/timers.c src/net/sigv4.c src/store/place.c 2>/dev/null)
# These are of the same rooms but need the server.
UNIT_SRCS  := $(filter-out src/base/cleanup.c src/base/clock.c,$(UNIT_SRCS))
UNIT_TESTS := $(patsubst test/unit/%.c,build/unit/%,$(wildcard test/unit/test_*.c))
UNIT_OBJS  := $(patsubst src/%.c,build/unit/%.o,$(UNIT_SRCS))

UNIT_SAN    = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
UNIT_FLAGS  = -g -O1 $(UNIT_SAN) -std=gnu11 -DFLOE_UNIT_TEST -Isrc -Itest/unit -I$(shell $(PG_CONFIG) --includedir-server) $(WARNINGS)
UNIT_LIBS   = -L$(shell $(PG_CONFIG) --pkglibdir) -L$(shell $(PG_CONFIG) --libdir) -lpgcommon -lpgport \
              -ljansson -ldeflate -lz -lzstd -lsnappy -lcrypto -lm

build/unit/%.o: src/%.c $(HDRS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -c -o $@ $<

build/unit/test_%: test/unit/test_%.c $(UNIT_OBJS) $(HDRS) test/unit/tap.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -o $@ $< $(UNIT_OBJS) $(UNIT_LIBS)

.PHONY: unit unit-build
unit-build: $(UNIT_TESTS)
unit: unit-build
	prove --exec '' $(UNIT_TESTS)
