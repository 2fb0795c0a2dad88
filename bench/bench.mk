# The benchmarks: docs/performance.md. N=2000 for a quick one, DRIVER=procedure for CALL floe.run_maintenance(); bench-polls: the real catalogs; bench-engines: a real Spark.

build/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -std=gnu11 $(WARNINGS) -o $@ $< -lcurl

.PHONY: bench bench-polls bench-engines
bench:
	@bench/run $(if $(N),--tables $(N)) $(if $(DRIVER),--driver $(DRIVER))
bench-polls:
	@bench/run polls $(if $(N),--tables $(N)) $(if $(ONLY),--only $(ONLY))
bench-engines:
	@bench/run engines $(if $(N),--tables $(N))
