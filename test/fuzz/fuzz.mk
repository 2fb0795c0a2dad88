# Fuzzing: each test/fuzz/fuzz_<topic>.c defines LLVMFuzzerTestOneInput; its seeds are the files in corpus/<topic>/.
#   make fuzz-corpus   built like the unit tests, every seed once, prints TAP (part of make check)
#   make fuzz          built with clang's libFuzzer, each harness for FUZZ_SECONDS; what it finds goes to build/fuzz/found/

FUZZ_SECONDS ?= 60
FUZZ_CLANG   ?= clang-14
FUZZ_TOPICS  := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZ_OBJS    := $(patsubst src/%.c,build/fuzz/%.o,$(UNIT_SRCS))
FUZZ_FLAGS    = -g -O1 -fno-omit-frame-pointer -std=gnu11 -DFLOE_UNIT_TEST -Isrc -I$(shell $(PG_CONFIG) --includedir-server) $(WARNINGS) \
                -Wno-ignored-attributes # clang does not know gnu_printf

build/fuzz/corpus_%: test/fuzz/fuzz_%.c test/fuzz/run_corpus.c $(UNIT_OBJS) $(HDRS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -o $@ $< test/fuzz/run_corpus.c $(UNIT_OBJS) $(UNIT_LIBS)

build/fuzz/%.o: src/%.c $(HDRS)
	@mkdir -p $(@D)
	$(FUZZ_CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -c -o $@ $<

build/fuzz/fuzz_%: test/fuzz/fuzz_%.c $(FUZZ_OBJS) $(HDRS)
	$(FUZZ_CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $< $(FUZZ_OBJS) $(UNIT_LIBS)

.PHONY: fuzz fuzz-build fuzz-corpus fuzz-corpus-build
fuzz-corpus-build: $(FUZZ_TOPICS:%=build/fuzz/corpus_%)
fuzz-corpus: fuzz-corpus-build
	prove --exec '' $(FUZZ_TOPICS:%=build/fuzz/corpus_%)

fuzz-build: $(FUZZ_TOPICS:%=build/fuzz/fuzz_%)
fuzz: fuzz-build
	@mkdir -p build/fuzz/found
	@set -e; for topic in $(FUZZ_TOPICS); do \
		echo "== $$topic, $(FUZZ_SECONDS) s"; mkdir -p build/fuzz/grown/$$topic; \
		build/fuzz/fuzz_$$topic -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix=build/fuzz/found/$$topic- build/fuzz/grown/$$topic test/fuzz/corpus/$$topic 2>&1 | \
			grep -E 'ERROR: |SUMMARY|stat::|Test unit' || true; \
		if ls build/fuzz/found/$$topic-* 2>/dev/null; then exit 1; fi; \
	done
