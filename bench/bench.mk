# The benchmark: docs/performance.md. N=2000 for a quick one, DRIVER=procedure for CALL floe.run_maintenance().

build/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -std=gnu11 $(WARNINGS) -o $@ $< -lcurl

.PHONY: bench
bench:
	@bench/run $(if $(N),--tables $(N)) $(if $(DRIVER),--driver $(DRIVER))
