# The benchmarks: docs/performance.md. N=2000 for a quick one, DRIVER=procedure for CALL floe.run_maintenance(); bench-polls: the real catalogs; bench-engines: a real Spark;
# bench-brain: floe's choice against others'; bench-decisions: how long a pass of 100,000 tables decides.

build/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -std=gnu11 $(WARNINGS) -o $@ $< -lcurl

.PHONY: bench bench-polls bench-engines bench-brain bench-decisions
bench:
	@bench/run $(if $(N),--tables $(N)) $(if $(DRIVER),--driver $(DRIVER))
bench-polls:
	@bench/run polls $(if $(N),--tables $(N)) $(if $(ONLY),--only $(ONLY))
bench-engines:
	@bench/run engines $(if $(N),--tables $(N))
bench-brain:
	@bench/run brain $(if $(N),--tables $(N))
bench-decisions:
	@bench/run decisions $(if $(N),--tables $(N))
