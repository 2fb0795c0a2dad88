# Small programs for tests against real servers, linked like the unit tests.

build/tools/%: test/tools/%.c $(UNIT_OBJS) $(HDRS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -o $@ $< $(UNIT_OBJS) $(UNIT_LIBS) -lcurl

.PHONY: tools
tools: $(patsubst test/tools/%.c,build/tools/%,$(wildcard test/tools/*.c))
