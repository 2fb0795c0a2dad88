/*
 * test_restart.c: when the launcher starts a process again, as a table of what happened and when.
 */
#include "floe.h"

#include "base/restart.h"
#include "tap.h"

#define SECOND INT64_C(1000000)

typedef struct Step
{
	int64_t at_s;
	char what;        /* s: started, f: failed, a: ended for a reason that waits 60 s */
	int64_t least_ms; /* until it may start again */
	int64_t most_ms;
	const char *name;
} Step;

/* The delay is between half and all of base * 2^(failures - 1). */
static const Step steps[] = {
	{0, 's', 0, 0, "start"},
	{1, 'f', 500, 1000, "first failure: about a second"},
	{2, 's', 0, 0, "start"},
	{3, 'f', 1000, 2000, "second: twice that"},
	{5, 's', 0, 0, "start"},
	{6, 'f', 2000, 4000, "third"},
	{9, 'f', 4000, 8000, "a start that never came is a failure, too"},
	{20, 's', 0, 0, "start"},
	{79, 'f', 8000, 16000, "59 seconds are not healthy"},
	{100, 's', 0, 0, "start"},
	{160, 'f', 500, 1000, "after 60 seconds it begins anew"},
	{161, 's', 0, 0, "start"},
	{162, 'f', 1000, 2000, "... and grows again"},
	{163, 's', 0, 0, "start"},
	{400, 'a', 60000, 60000, "a reason has its own delay"},
	{460, 's', 0, 0, "start"},
	{461, 'f', 500, 1000, "... and the healthy time before it counted"},
};

int
main(void)
{
	FloeRestart restart = {0};
	int64_t longest = 0;
	int64_t shortest = INT64_MAX;

	for (size_t i = 0; i < lengthof(steps); i++)
	{
		const Step *step = &steps[i];
		int64_t now = step->at_s * SECOND;
		int64_t delay_ms;

		if (step->what == 's')
		{
			floe_restart_started(&restart, now);
			continue;
		}
		if (step->what == 'f')
			floe_restart_failed(&restart, now, 42);
		else
			floe_restart_after(&restart, now, 60000);
		delay_ms = (restart.next_us - now) / 1000;
		ok(delay_ms >= step->least_ms && delay_ms <= step->most_ms, "%s (%lld ms)", step->name, (long long) delay_ms);
	}
	for (int i = 0; i < 2000; i++)
		floe_restart_failed(&restart, 500 * SECOND, (uint64_t) i);
	ok(restart.next_us - 500 * SECOND <= FLOE_RESTART_CAP_MS * INT64_C(1000), "never more than five minutes");
	for (uint64_t seed = 0; seed < 100; seed++)
	{
		FloeRestart other = {5, 0, 0};

		floe_restart_failed(&other, 0, seed);
		longest = Max(longest, other.next_us);
		shortest = Min(shortest, other.next_us);
	}
	ok(longest - shortest > 5 * SECOND, "processes that failed together do not start together");
	return tap_done();
}
